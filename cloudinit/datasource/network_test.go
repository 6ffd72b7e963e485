package datasource

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/cloudinit/datasource/fakecloud"
)

// cloud is a fake platform, and how a test reaches it.
type cloud struct {
	*fakecloud.Service
	t    *testing.T
	host *host
	net  network

	mu       sync.Mutex
	instance fakecloud.Instance
	// ports are the ports that connections asked for, by those they have.
	ports map[string]int
	// dialed are the addresses that were asked for; those of down do not answer.
	dialed []string
	down   func(address string) error
	said   []string
}

const userText = "#cloud-config\npassword: hunter2canary\n"

func newCloud(t *testing.T, name string) *cloud {
	t.Helper()
	c := &cloud{t: t, host: newHost(t.TempDir()), ports: map[string]int{}, down: func(string) error { return nil }}
	c.instance = fakecloud.Instance{ID: "4711", Hostname: "web-1", UserData: []byte(userText)}
	service, err := fakecloud.New(name, func() (fakecloud.Instance, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.instance, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c.Service = service
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		port := c.ports[r.RemoteAddr]
		c.mu.Unlock()
		if port != 0 {
			r.RemoteAddr = fmt.Sprintf("192.0.2.1:%d", port)
		}
		service.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	c.net = network{
		dial: func(ctx context.Context, port int, address string) (net.Conn, error) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.dialed = append(c.dialed, address)
			if err := c.down(address); err != nil {
				return nil, err
			}
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
			if err == nil {
				c.ports[conn.LocalAddr().String()] = port
			}
			return conn, err
		},
		lookup:     func(context.Context, string) ([]string, error) { return []string{"192.0.2.9"}, nil },
		interfaces: func(*host) []string { return []string{"eth0"} },
		request:    time.Minute,
		first:      time.Millisecond,
		longest:    time.Millisecond,
	}
	return c
}

func (c *cloud) source(o Options) Source {
	c.t.Helper()
	o.Waiting = func(what string) { c.said = append(c.said, what) }
	return c.row().open(o, c.host, c.net)
}

// name is that of the test: TestX/NAME or TestX/NAME/MODE.
func (c *cloud) name() string { return strings.Split(c.t.Name(), "/")[1] }

func (c *cloud) edit(change func(*fakecloud.Instance)) {
	c.mu.Lock()
	change(&c.instance)
	c.mu.Unlock()
	c.Changed()
}

// paths are the user data's addresses.
func paths() map[string]string {
	return map[string]string{
		"Ec2":          "http://169.254.169.254/latest/user-data",
		"GCE":          "http://169.254.169.254/computeMetadata/v1/instance/attributes/user-data",
		"Azure":        "http://169.254.169.254/metadata/instance/compute/userData",
		"OpenStack":    "http://169.254.169.254/openstack/latest/user_data",
		"DigitalOcean": "http://169.254.169.254/metadata/v1/user-data",
		"Hetzner":      "http://169.254.169.254/hetzner/v1/userdata",
		"Vultr":        "http://169.254.169.254/user-data/user-data",
		"Oracle":       "http://169.254.169.254/opc/v2/instance/metadata/user_data",
		"Scaleway":     "http://169.254.42.42/user_data/cloud-init",
		"Exoscale":     "http://169.254.169.254/1.0/user-data",
		"UpCloud":      "http://169.254.169.254/metadata/v1/user_data",
		"Akamai":       "http://169.254.169.254/v1/user-data",
		"AliYun":       "http://100.100.100.200/2016-01-01/user-data",
		"CloudStack":   "http://192.0.2.9/latest/user-data",
	}
}

// Each platform by each thing that can go wrong.
func TestNetwork(t *testing.T) {
	if got, want := fakecloud.Names(), names(platforms()); !slices.Equal(got, want) {
		t.Fatalf("fakes = %v, want one for each platform: %v", got, want)
	}
	// passes is what goes by, and what is said meanwhile; refused is an error.
	modes := []struct {
		name            string
		fault           *fakecloud.Fault
		passes, refused string
	}{
		{name: "well"},
		{name: "503 at first", fault: &fakecloud.Fault{First: 3, Status: 503}, passes: "503 Service Unavailable"},
		{name: "500 at first", fault: &fakecloud.Fault{First: 3, Status: 500}, passes: "500 Internal Server Error"},
		{name: "429 at first", fault: &fakecloud.Fault{First: 3, Status: 429}, passes: "429 Too Many Requests"},
		{name: "reset", fault: &fakecloud.Fault{First: 2, Reset: true}, passes: "connection"},
		{name: "slow", fault: &fakecloud.Fault{First: 2, Stall: true}, passes: "no answer"},
		{name: "redirect", fault: &fakecloud.Fault{Redirect: "http://203.0.113.7/hunter2canary"}, refused: "to http://203.0.113.7, which is not followed"},
		{name: "huge", fault: &fakecloud.Fault{Huge: true}, refused: "larger than 16 MiB"},
		{name: "bad request", fault: &fakecloud.Fault{Status: 400}, refused: "400 Bad Request"},
	}
	for name, path := range paths() {
		for _, mode := range modes {
			t.Run(name+"/"+mode.name, func(t *testing.T) {
				t.Parallel()
				c := newCloud(t, name)
				if mode.fault != nil && mode.fault.Stall {
					c.net.request = 100 * time.Millisecond
				}
				c.Fail(mode.fault)
				first := strings.Split(path, "/")[2] + ":80"
				c.down = func(address string) error {
					if address == first {
						return nil
					}
					return fmt.Errorf("dial %s: %w", address, syscall.EHOSTUNREACH)
				}
				data, err := c.source(Options{}).Read(t.Context())
				said := strings.Join(c.said, "\n")
				if strings.Contains(said, "hunter2canary") {
					t.Errorf("it says %q, want no answers in it", said)
				}
				if mode.refused != "" {
					refused(t, err, mode.refused)
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				data.Metadata = nil
				want := &cloudinit.UserData{
					Datasource: name, InstanceID: "4711", Path: path, Raw: []byte(userText),
				}
				if diff := cmp.Diff(want, data); diff != "" {
					t.Errorf("Read() (-want +got):\n%s", diff)
				}
				if mode.passes == "" {
					if said != "" {
						t.Errorf("it says %q, want nothing", said)
					}
					return
				}
				if len(c.said) < 2 || c.said[len(c.said)-1] != "" || !strings.Contains(c.said[0], mode.passes) ||
					!strings.HasPrefix(c.said[0], "waiting for the metadata service of ") {
					t.Errorf("it says %q, want that it waits because of %s, and nothing at the end", c.said, mode.passes)
				}
			})
		}
	}
}

func names(platforms []platform) []string {
	var all []string
	for _, p := range platforms {
		all = append(all, p.name)
	}
	slices.Sort(all)
	return all
}

func refused(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2canary") {
		t.Errorf("Read() error = %v, want it to contain %q, and nothing of an answer", err, want)
	}
}

func (c *cloud) row() *platform {
	c.t.Helper()
	for _, p := range platforms() {
		if p.name == c.name() {
			return &p
		}
	}
	c.t.Fatalf("no platform %q", c.name())
	return nil
}

// A service refuses whoever does not ask as it wants: the rows' headers,
// tokens and ports are needed.
func TestNetworkAsksRight(t *testing.T) {
	tests := map[string]struct {
		change func(*platform)
		want   string
	}{
		"Ec2":      {func(p *platform) { p.token = nil }, "401 Unauthorized"},
		"GCE":      {func(p *platform) { p.headers = nil }, "403 Forbidden"},
		"Azure":    {func(p *platform) { p.headers = nil }, "400 Bad Request"},
		"Vultr":    {func(p *platform) { p.headers = nil }, "403 Forbidden"},
		"Oracle":   {func(p *platform) { p.headers = nil }, "403 Forbidden"},
		"Scaleway": {func(p *platform) { p.dial = nil }, "403 Forbidden"},
		"Akamai":   {func(p *platform) { p.token = nil }, "401 Unauthorized"},
		"AliYun":   {func(p *platform) { p.token = nil }, "403 Forbidden"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, name)
			row := c.row()
			tt.change(row)
			_, err := row.open(Options{}, c.host, c.net).Read(t.Context())
			refused(t, err, tt.want)
		})
	}
}

// No user data is empty user data, of an instance with an id.
func TestNetworkNoUserData(t *testing.T) {
	for name := range paths() {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, name)
			c.edit(func(i *fakecloud.Instance) { i.UserData = nil })
			data, err := c.source(Options{}).Read(t.Context())
			if err != nil || len(data.Raw) != 0 || data.InstanceID != "4711" {
				t.Errorf("Read() = %+v, %v, want empty user data of instance 4711", data, err)
			}
		})
	}
}

// Where a platform takes text alone, base64 is undone; elsewhere it is left.
func TestNetworkBase64(t *testing.T) {
	packed := base64.StdEncoding.EncodeToString([]byte(userText))
	for name := range paths() {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, name)
			c.edit(func(i *fakecloud.Instance) { i.UserData = []byte(packed) })
			want := packed
			if name == "Ec2" || name == "Hetzner" {
				want = userText
			}
			data, err := c.source(Options{}).Read(t.Context())
			if err != nil || string(data.Raw) != want {
				t.Errorf("Read() = %s, %v, want %s", data.Raw, err, want)
			}
		})
	}
}

// The next address is asked where one does not answer, and first the time after.
func TestNetworkNextAddress(t *testing.T) {
	for name, second := range map[string]string{
		"Ec2": "[fd00:ec2::254]:80", "GCE": "metadata.google.internal:80", "Oracle": "[fd00:c1::a9fe:a9fe]:80",
		"OpenStack": "[fe80::a9fe:a9fe%eth0]:80", "Hetzner": "[fe80::a9fe:a9fe%eth0]:80",
		"Scaleway": "[fd00:42::42]:80", "Akamai": "[fd00:a9fe:a9fe::1]:80",
	} {
		t.Run(name, func(t *testing.T) {
			c := newCloud(t, name)
			c.down = func(address string) error {
				if address == second {
					return nil
				}
				return fmt.Errorf("dial %s: %w", address, syscall.EHOSTUNREACH)
			}
			source := c.source(Options{})
			for range 2 {
				if _, err := source.Read(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if len(c.dialed) != 3 || c.dialed[0] == second || c.dialed[1] != second || c.dialed[2] != second {
				t.Errorf("it asked %q, want one other and then %s twice", c.dialed, second)
			}
		})
	}
}

// What is waited for is said, whatever it is, and the wait ends with ctx.
func TestNetworkDown(t *testing.T) {
	tests := []struct {
		name string
		down error
		want string
	}{
		{"no route", syscall.EHOSTUNREACH, "waiting for the metadata service of EC2 at 169.254.169.254: no route to host"},
		{"no network", syscall.ENETUNREACH, "waiting for the metadata service of EC2 at 169.254.169.254: network is unreachable"},
		{"refused", syscall.ECONNREFUSED, "waiting for the metadata service of EC2 at 169.254.169.254: connection refused"},
		{"no DNS", &net.DNSError{Name: "x", IsNotFound: true}, "waiting for the metadata service of EC2 at 169.254.169.254: DNS does not know x"},
		{"no DNS server", &net.DNSError{Name: "x", IsTimeout: true}, "waiting for the metadata service of EC2 at 169.254.169.254: no answer from DNS for x"},
	}
	for _, tt := range tests {
		t.Run("Ec2/"+tt.name, func(t *testing.T) {
			c := newCloud(t, "Ec2")
			ctx, cancel := context.WithCancelCause(t.Context())
			over := errors.New("over")
			c.down = func(string) error {
				if len(c.dialed) == 6 {
					cancel(over)
				}
				return fmt.Errorf("dial: %w", tt.down)
			}
			_, err := c.source(Options{}).Read(ctx)
			if !errors.Is(err, over) || !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("Read() error = %v, want %q and the end of ctx", err, tt.want)
			}
			if c.said[0] != tt.want || c.said[len(c.said)-1] != "" {
				t.Errorf("it says %q, want %q and nothing at the end", c.said, tt.want)
			}
		})
	}
}

// Who is called off in the first try has waited for nothing.
func TestNetworkCalledOff(t *testing.T) {
	t.Run("Ec2", func(t *testing.T) {
		c := newCloud(t, "Ec2")
		ctx, cancel := context.WithCancelCause(t.Context())
		over := errors.New("over")
		c.down = func(string) error {
			cancel(over)
			return nil
		}
		_, err := c.source(Options{}).Read(ctx)
		if !errors.Is(err, over) || len(c.said) != 0 {
			t.Errorf("Read() = %v, says %q, want %v and nothing said", err, c.said, over)
		}
	})
}

// What answers in the place of GCE's service is not believed.
func TestNetworkAnotherServer(t *testing.T) {
	t.Run("GCE", func(t *testing.T) {
		c := newCloud(t, "GCE")
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"id": 1, "attributes": {"user-data": "hunter2canary"}}`))
		}))
		defer server.Close()
		c.net.dial = func(ctx context.Context, _ int, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
		}
		_, err := c.source(Options{}).Read(t.Context())
		refused(t, err, "lacks the header Metadata-Flavor: Google")
	})
}

// No environment sets a proxy.
func TestNetworkNoProxy(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.99:3128")
	t.Setenv("http_proxy", "http://192.0.2.99:3128")
	t.Run("Ec2", func(t *testing.T) {
		c := newCloud(t, "Ec2")
		if _, err := c.source(Options{}).Read(t.Context()); err != nil || !slices.Equal(c.dialed, []string{"169.254.169.254:80"}) {
			t.Errorf("Read() = %v by %q, want no proxy", err, c.dialed)
		}
	})
}
