package datasource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// What templates get, by cloud-init's names.
func TestMetadata(t *testing.T) {
	all := map[string]struct{ v1, ds string }{
		"Ec2": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "eu-west-1a", "region": "eu-west-1", "cloud_name": "aws", "cloud_id": "aws", "platform": "ec2"}`,
			`{"meta_data": {"ami-id": "ami-1", "ami-launch-index": "0", "block-device-mapping": {"ami": "/dev/xvda"}, "hostname": "web-1",
				"iam": {"info": {"Code": "Success"}}, "instance-id": "4711", "local-hostname": "web-1",
				"placement": {"availability-zone": "eu-west-1a", "region": "eu-west-1"}, "public-keys": {"mine": "ssh-ed25519 AAAA mine"},
				"security-groups": ["one", "two"]}}`,
		},
		"GCE": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "us-central1-a", "region": "us-central1", "cloud_name": "gce", "cloud_id": "gce", "platform": "gce"}`,
			`{"meta_data": {"instance-id": 4711, "local-hostname": "web-1.c.project.internal", "availability-zone": "us-central1-a"}}`,
		},
		"Azure": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "0", "region": "westeurope", "cloud_name": "azure", "cloud_id": "azure", "platform": "azure"}`,
			`{"metadata": {"imds": {"compute": {"vmId": "4711", "location": "westeurope", "platformFaultDomain": "0", "name": "vm", "osProfile": {"computerName": "web-1"}}, "network": {}}}}`,
		},
		"OpenStack": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "nova", "cloud_name": "openstack", "cloud_id": "openstack", "platform": "openstack"}`,
			`{"meta_data": {"uuid": "4711", "hostname": "web-1", "availability_zone": "nova", "launch_index": 0, "meta": {"role": "web"}, "instance-id": "4711", "local-hostname": "web-1"}}`,
		},
		"DigitalOcean": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "ams3", "cloud_name": "digitalocean", "cloud_id": "digitalocean", "platform": "digitalocean"}`,
			`{"meta_data": {"instance-id": 4711, "local-hostname": "web-1", "interfaces": {}, "public-keys": [], "availability_zone": "ams3"}}`,
		},
		"Hetzner": {
			`{"instance_id": "4711", "local_hostname": "web-1", "cloud_name": "hetzner", "cloud_id": "hetzner", "platform": "hetzner"}`,
			`{"meta_data": {"instance-id": 4711, "local-hostname": "web-1", "public-keys": ["ssh-ed25519 AAAA"]}}`,
		},
		"Vultr": {
			`{"instance_id": "4711", "local_hostname": "web-1", "region": "ams", "cloud_name": "vultr", "cloud_id": "vultr", "platform": "vultr"}`,
			`{"meta_data": {"instance-v2-id": "4711", "instanceid": "1", "hostname": "web-1", "region": "AMS", "vendor-data": [], "interfaces": [], "instance-id": "4711", "local-hostname": "web-1"}}`,
		},
		"Oracle": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "phx-ad-3", "cloud_name": "oracle", "cloud_id": "oracle", "platform": "oracle"}`,
			`{"id": "4711", "hostname": "web-1", "displayName": "mine", "ociAdName": "phx-ad-3", "metadata": {"ssh_authorized_keys": "ssh-ed25519 AAAA"}}`,
		},
		"Scaleway": {
			`{"instance_id": "4711", "local_hostname": "web-1", "cloud_name": "scaleway", "cloud_id": "scaleway", "platform": "scaleway"}`,
			`{"meta_data": {"id": "4711", "hostname": "web-1", "name": "web-1", "tags": [], "ssh_public_keys": []}}`,
		},
		"Exoscale": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "ch-gva-2", "cloud_name": "exoscale", "cloud_id": "exoscale", "platform": "exoscale"}`,
			`{"meta_data": {"availability-zone": "ch-gva-2", "instance-id": "4711", "local-hostname": "web-1", "vm-id": "4711"}}`,
		},
		"UpCloud": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "de-fra1", "cloud_name": "upcloud", "cloud_id": "upcloud", "platform": "upcloud"}`,
			`{"meta_data": {"instance-id": "4711", "local-hostname": "web-1", "network": {}, "public-keys": [], "availability_zone": "de-fra1"}}`,
		},
		"Akamai": {
			`{"instance_id": "4711", "region": "us-iad", "cloud_name": "akamai", "cloud_id": "akamai", "platform": "akamai"}`,
			`{"meta_data": {"id": 4711, "instance-id": 4711, "label": "web-1", "region": "us-iad", "tags": []}}`,
		},
		"AliYun": {
			`{"instance_id": "4711", "local_hostname": "web-1", "cloud_name": "aliyun", "cloud_id": "aliyun", "platform": "aliyun"}`,
			`{"meta_data": {"dns-conf": {"nameservers": ["100.100.2.136", "100.100.2.138"]}, "hostname": "web-1", "instance-id": "4711", "region-id": "cn-hangzhou", "zone-id": "cn-hangzhou-i", "ram": {"security-credentials": null}}}`,
		},
		"CloudStack": {
			`{"instance_id": "4711", "local_hostname": "web-1", "availability_zone": "zone1", "cloud_name": "cloudstack", "cloud_id": "cloudstack", "platform": "cloudstack"}`,
			`{"meta_data": {"availability-zone": "zone1", "instance-id": "4711", "local-hostname": "web-1", "public-keys": "", "service-offering": "small", "vm-id": "4711"}}`,
		},
	}
	for name, want := range all {
		t.Run(name, func(t *testing.T) {
			data, err := newCloud(t, name).source(Options{}).Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			v1 := data.Metadata["v1"].(map[string]any)
			if platform, _ := v1["subplatform"].(string); !strings.HasPrefix(platform, "metadata (http://") {
				t.Errorf("subplatform = %q, want the address", platform)
			}
			delete(v1, "subplatform")
			for key, value := range v1 {
				if strings.Contains(key, "-") && v1[strings.ReplaceAll(key, "-", "_")] != value {
					t.Errorf("%s = %v, want what it is with _", key, value)
				}
				if strings.Contains(key, "-") {
					delete(v1, key)
				}
			}
			for key := range newHost("").values() { // the host's own
				delete(v1, key)
			}
			same(t, "v1", v1, want.v1)
			if name == "AliYun" { // the credentials are not looked at
				want.ds = strings.Replace(want.ds, `{"security-credentials": null}`, `{}`, 1)
			}
			same(t, "ds", data.Metadata["ds"], want.ds)
			if all, _ := json.Marshal(data.Metadata); strings.Contains(string(all), "hunter2canary") {
				t.Errorf("Metadata = %s, want no user data and no credentials in it", all)
			}
		})
	}
}

func same(t *testing.T, what string, got any, want string) {
	t.Helper()
	var wanted, have any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &have); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted, have); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestShortName(t *testing.T) {
	for in, want := range map[string]string{"": "", "web": "web", "web.example.org": "web", "10.0.0.7": "ip-10-0-0-7"} {
		if got := shortName(in); got != want {
			t.Errorf("shortName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCloudID(t *testing.T) {
	for in, want := range map[[2]string]string{
		{"aws", "cn-north-1"}: "aws-china", {"aws", "us-gov-west-1"}: "aws-gov", {"aws", "eu-west-1"}: "aws",
		{"azure", "chinaeast"}: "azure-china", {"gce", "cn-x"}: "gce", {"hetzner", ""}: "hetzner",
	} {
		if got := cloudID(in[0], in[1]); got != want {
			t.Errorf("cloudID(%q) = %q, want %q", in, got, want)
		}
	}
}

// What is no meta-data is refused, without a word of it.
func TestNetworkNoMetadata(t *testing.T) {
	tests := []struct {
		platform, answer, want string
	}{
		{"OpenStack", `{"uuid": "hunter2canary`, "is not a JSON object"},
		{"OpenStack", `["hunter2canary"]`, "is not a JSON object"},
		{"OpenStack", `{"uuid": "hunter2canary"} x`, "is not a JSON object"},
		{"OpenStack", `null`, "is not a JSON object"},
		{"OpenStack", `{"name": "hunter2canary"}`, "its meta-data has no uuid"},
		{"OpenStack", `{"uuid": {"hunter2canary": 1}}`, "its meta-data has no uuid"},
		{"Hetzner", "- hunter2canary", "is not a YAML mapping"},
		{"Hetzner", "a: [hunter2canary", "is not a YAML mapping"},
		{"Hetzner", "", "is not a YAML mapping"},
		{"Akamai", "hunter2 canary", "is not a token"},
		{"Ec2", "", "is not a token"},
	}
	for i, tt := range tests {
		t.Run(fmt.Sprintf("X/%d", i), func(t *testing.T) {
			server := answering(t, tt.answer)
			for _, p := range platforms() {
				if p.name == tt.platform {
					_, err := p.open(Options{}, newHost(t.TempDir()), server).Read(t.Context())
					refused(t, err, tt.want)
				}
			}
		})
	}
}

// What is no HTTP is waited out, and not said.
func TestNetworkNoHTTP(t *testing.T) {
	n := answering(t, "")
	n.first = time.Hour
	n.dial = func(context.Context, int, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Read(make([]byte, 64<<10))
			_, _ = theirs.Write([]byte("hunter2canary\r\n\r\n"))
		}()
		return ours, nil
	}
	for _, p := range platforms() {
		if p.name != "OpenStack" {
			continue
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		var said []string
		source := p.open(Options{Waiting: func(what string) {
			said = append(said, what)
			cancel(errors.New("over"))
		}}, newHost(t.TempDir()), n)
		_, err := source.Read(ctx)
		refused(t, err, "the answer is not HTTP: over")
		if want := "waiting for the metadata service of OpenStack at 169.254.169.254: the answer is not HTTP"; said[0] != want {
			t.Errorf("it says %q, want %q", said[0], want)
		}
	}
}

// A tree without an end is left.
func TestTreeWithoutEnd(t *testing.T) {
	for answer, want := range map[string]string{
		"again/": "nested too deeply",
		strings.Join(slices.Repeat([]string{"a"}, 5), "\n"): "its meta-data has no instance-id",
		numbered(2000): "more than 1000 entries",
	} {
		server := answering(t, answer)
		for _, p := range platforms() {
			if p.name == "Exoscale" {
				_, err := p.open(Options{}, newHost(t.TempDir()), server).Read(t.Context())
				refused(t, err, want)
			}
		}
	}
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "name%d\n", i)
	}
	return b.String()
}

func answering(t *testing.T, answer string) network {
	t.Helper()
	n := realNetwork()
	n.dial = func(context.Context, int, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer func() { _ = theirs.Close() }()
			buffer := make([]byte, 64<<10)
			for {
				if _, err := theirs.Read(buffer); err != nil {
					return
				}
				if _, err := fmt.Fprintf(theirs, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer); err != nil {
					return
				}
			}
		}()
		return ours, nil
	}
	return n
}

func TestFindRouter(t *testing.T) {
	const route = "Iface\tDestination\tGateway\tFlags\neth0\t0002000A\t00000000\t0001\neth0\t00000000\t01020A0A\t0003\n"
	const lease = "lease {\n  option dhcp-server-identifier 10.0.0.1;\n}\nlease {\n  option dhcp-server-identifier 10.0.0.2;\n}\n"
	networkd := map[string]string{"/run/systemd/netif/leases/3": "ADDRESS=10.1.1.5", "/run/systemd/netif/leases/7": "ADDRESS=10.1.1.5\nSERVER_ADDRESS=10.1.1.1"}
	tests := []struct {
		name  string
		dns   []string
		files map[string]string
		want  string
	}{
		{"DNS", []string{"10.9.9.9"}, networkd, "http://10.9.9.9"},
		{"DNS, IPv6", []string{"fd00::1"}, nil, "http://[fd00::1]"},
		{"systemd-networkd", nil, networkd, "http://10.1.1.1"},
		{"dhclient", nil, map[string]string{"/var/lib/dhcp/dhclient.eth0.leases": lease, "/proc/net/route": route}, "http://10.0.0.2"},
		{"dhclient elsewhere", nil, map[string]string{"/var/lib/dhclient/dhclient-eth0.lease": lease}, "http://10.0.0.2"},
		{"default gateway", nil, map[string]string{"/proc/net/route": route}, "http://10.10.2.1"},
		{"a broken lease", nil, map[string]string{"/var/lib/dhcp/dhclient.leases": "option dhcp-server-identifier hunter2;", "/proc/net/route": route}, "http://10.10.2.1"},
		{"nothing yet", nil, map[string]string{"/proc/net/route": "Iface\tDestination\tGateway\n"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			lookup := func(_ context.Context, name string) ([]string, error) {
				if name != "data-server" || tt.dns == nil {
					return nil, errors.New("no such host")
				}
				return tt.dns, nil
			}
			got, err := findRouter(t.Context(), hostWith(t, tt.files), lookup)
			if tt.want == "" {
				if err == nil || !passes(err) {
					t.Errorf("findRouter() = %q, %v, want an error that passes", got, err)
				}
				return
			}
			if err != nil || !slices.Equal(got, []string{tt.want}) {
				t.Errorf("findRouter() = %q, %v, want %s", got, err, tt.want)
			}
		})
	}
}

// The newest lease counts.
func TestDHClientNewest(t *testing.T) {
	h := hostWith(t, map[string]string{
		"/var/lib/dhcp/a.leases": "option dhcp-server-identifier 10.0.0.1;", "/var/lib/dhcp/b.leases": "option dhcp-server-identifier 10.0.0.2;",
	})
	newer := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(h.root, "/var/lib/dhcp/a.leases"), newer, newer); err != nil {
		t.Fatal(err)
	}
	if got := dhclientServer(h.root); got != "10.0.0.1" {
		t.Errorf("dhclientServer() = %q, want that of the newer file", got)
	}
}

func TestDialPrivileged(t *testing.T) {
	tests := []struct {
		name  string
		fail  []error
		tries int
		want  string
	}{
		{"at once", nil, 1, ""},
		{"taken ports", []error{syscall.EADDRINUSE, syscall.EADDRNOTAVAIL}, 3, ""},
		{"not root", []error{syscall.EACCES}, 1, "needs root"},
		{"no route", []error{syscall.EHOSTUNREACH}, 1, "no route"},
		{"all taken", slices.Repeat([]error{syscall.EADDRINUSE}, 400), 359, "no free port"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var ports []int
			dial := func(_ context.Context, port int, _ string) (net.Conn, error) {
				ports = append(ports, port)
				if len(ports) <= len(tt.fail) {
					return nil, fmt.Errorf("dial: %w", tt.fail[len(ports)-1])
				}
				return nil, nil
			}
			_, err := dialPrivileged(t.Context(), dial, "192.0.2.1:80")
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("dialPrivileged() = %v, want %q", err, tt.want)
			}
			slices.Sort(ports)
			if len(ports) != tt.tries || ports[0] < 665 || ports[len(ports)-1] > 1023 || len(slices.Compact(ports)) != tt.tries {
				t.Errorf("it tried %v, want %d different ports from 665 to 1023", ports, tt.tries)
			}
		})
	}
}

func FuzzMetadata(f *testing.F) {
	for _, raw := range []string{
		`{"uuid": "x", "meta": {"a": [1, 2.5, null]}}`, `{"id": 12345678901234567890}`, "instance-id: 1\nhostname: x\n", "a: &a [*a]",
		"ami-id\npublic-keys/\n0=mine\n../\n", `{"attributes": {"user-data": "x", "user-data-encoding": "base64"}}`, "{}", "", "[",
		`{"region": {"regioncode": 5}, "compute": "x", "metadata": []}`,
	} {
		f.Add([]byte(raw))
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, e := range parseListing(raw) {
			step := strings.TrimSuffix(strings.TrimSuffix(e.path, "/"), "/openssh-key")
			if e.name == "" || step == "" || step == "." || step == ".." || strings.ContainsAny(step, "/?#") {
				t.Errorf("parseListing(%q) has %+v", raw, e)
			}
		}
		leaf(raw)
		for _, parse := range []func([]byte) (map[string]any, bool){parseObject, parseMapping} {
			for _, p := range platforms() {
				doc, ok := parse(raw)
				if !ok {
					continue
				}
				s := &service{platform: p, host: newHost(root)}
				s.digest(doc)
				if got := s.metadata(doc, "id", "http://192.0.2.1")["v1"].(map[string]any)["instance_id"]; got != "id" {
					t.Errorf("metadata of %s: instance_id = %v, want id", p.name, got)
				}
			}
		}
		if unpacked, err := base64Maybe(raw); err != nil || len(unpacked) > len(raw) {
			t.Errorf("base64Maybe(%q) = %q, %v", raw, unpacked, err)
		}
		_, _ = base64Always(raw)
	})
}
