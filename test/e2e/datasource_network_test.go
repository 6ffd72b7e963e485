//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// The paths of the fake metadata service, its unit, and the files it serves.
const (
	metadataProgram = "/usr/local/bin/dockhost-test-metadata"
	metadataUnit    = "dockhost-test-metadata"
	metadataFiles   = "/run/dockhost-test"
	metadataDropIn  = "/run/systemd/system/dockhost.service.d/50-test-dmi.conf"
)

// onCloud makes the host look like an instance of a cloud until the test ends:
// dockhost sees the cloud's DMI, and the loopback interface has the address of
// the metadata service, so that no request leaves the host. It does not start the
// service.
func (h *host) onCloud(address string, dmi map[string]string) {
	h.Helper()
	h.Cleanup(func() {
		h.run(fmt.Sprintf(`systemctl stop dockhost.service dockhost.socket; systemctl stop %s.service 2>/dev/null || true
			ip addr del %s/32 dev lo; rm -rf %s %s; systemctl daemon-reload`, metadataUnit, address, metadataFiles, metadataDropIn))
	})
	h.run("rm -rf " + metadataFiles + "; ip addr replace " + address + "/32 dev lo")
	for field, value := range dmi {
		h.write(metadataFiles+"/dmi/"+field, value+"\n")
	}
	// A test host is a container and has no /sys/class/dmi.
	h.write(metadataDropIn, "[Service]\nTemporaryFileSystem=/sys/class\nBindReadOnlyPaths="+metadataFiles+"/dmi:/sys/class/dmi/id\n")
	h.run("systemctl daemon-reload")
}

// serve starts the cloud's metadata service.
func (h *host) serve(platform, address string, flags ...string) {
	h.Helper()
	h.install()
	h.run(fmt.Sprintf("systemd-run -q --collect --unit=%s %s -platform %s -listen %s:80 -user-data %s/user-data %s",
		metadataUnit, metadataProgram, platform, address, metadataFiles, strings.Join(flags, " ")))
	h.eventually("the metadata service listens", func() error {
		if out, code := h.try("ss -Hltn src " + address + ":80 | grep ."); code != 0 {
			return fmt.Errorf("nothing listens: %s", out)
		}
		return nil
	})
}

// install copies the fake service, test/metadata, to the host.
func (h *host) install() {
	h.Helper()
	binary, err := os.ReadFile(h.program("../metadata"))
	if err != nil {
		h.Fatal(err)
	}
	if out, code := h.tryWith("cat >"+metadataProgram+".new && chmod +x "+metadataProgram+".new && mv "+metadataProgram+".new "+metadataProgram, string(binary)); code != 0 {
		h.Fatalf("install the metadata service: %s", out)
	}
}

// cloudUserData sets the user data that the metadata service serves. It does not
// reload the agent.
func (h *host) cloudUserData(section string) {
	h.Helper()
	h.write(metadataFiles+"/user-data.new", "#cloud-config\n"+section)
	h.run("mv " + metadataFiles + "/user-data.new " + metadataFiles + "/user-data")
}

// source waits until the agent has read user data from this datasource.
func (h *host) source(name string) api.Source {
	h.Helper()
	var source api.Source
	h.eventually("the agent has read the user data of "+name, func() error {
		s, _ := h.status()
		if source = s.Source; source.Datasource != name {
			return fmt.Errorf("source = %+v", source)
		}
		return nil
	})
	return source
}

// TestCloudUserDataAssignsContainer assigns a container by the user data of each
// cloud that dockhost recognizes by DMI.
func TestCloudUserDataAssignsContainer(t *testing.T) {
	const linkLocal = "169.254.169.254"
	tests := []struct {
		name, address string
		dmi           map[string]string
		path          string
	}{
		{"Ec2", linkLocal, map[string]string{"sys_vendor": "Amazon EC2"}, "http://169.254.169.254/latest/user-data"},
		{"GCE", linkLocal, map[string]string{"product_name": "Google Compute Engine"}, "http://169.254.169.254/computeMetadata/v1/instance/attributes/user-data"},
		{"Azure", linkLocal, map[string]string{"chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}, "http://169.254.169.254/metadata/instance/compute/userData"},
		{"OpenStack", linkLocal, map[string]string{"product_name": "OpenStack Nova"}, "http://169.254.169.254/openstack/latest/user_data"},
		{"Hetzner", linkLocal, map[string]string{"sys_vendor": "Hetzner"}, "http://169.254.169.254/hetzner/v1/userdata"},
		{"Oracle", linkLocal, map[string]string{"chassis_asset_tag": "OracleCloud.com"}, "http://169.254.169.254/opc/v2/instance/metadata/user_data"},
		{"Akamai", linkLocal, map[string]string{"sys_vendor": "Akamai"}, "http://169.254.169.254/v1/user-data"},
		{"AliYun", "100.100.100.200", map[string]string{"product_name": "Alibaba Cloud ECS"}, "http://100.100.100.200/2016-01-01/user-data"},
		// This service refuses clients with a port of 1024 or higher.
		{"Scaleway", "169.254.42.42", map[string]string{"sys_vendor": "Scaleway"}, "http://169.254.42.42/user_data/cloud-init"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			h.onCloud(tt.address, tt.dmi)
			h.serve(tt.name, tt.address)
			h.cloudUserData(app())
			h.takeOver()
			if s := h.source(tt.name); s.InstanceID != "4711" || s.Path != tt.path || len(s.Problems) > 0 {
				t.Errorf("source = %+v, want instance 4711 and %s", s, tt.path)
			}
			h.ready("app")
		})
	}
}

// TestCloudStackServiceIsFoundByDNS finds CloudStack's metadata service by the
// name data-server.
func TestCloudStackServiceIsFoundByDNS(t *testing.T) {
	const address = "169.254.169.254"
	h := newHost(t)
	h.onCloud(address, map[string]string{"product_name": "CloudStack KVM Hypervisor"})
	// /etc/hosts is a mount, which sed -i cannot replace.
	h.Cleanup(func() { h.run("hosts=$(grep -v data-server /etc/hosts); echo \"$hosts\" >/etc/hosts") })
	h.run("echo '" + address + " data-server' >>/etc/hosts")
	h.serve("CloudStack", address)
	h.cloudUserData(app())
	h.takeOver()
	if s := h.source("CloudStack"); s.Path != "http://"+address+"/latest/user-data" {
		t.Errorf("source = %+v, want the router's", s)
	}
	h.ready("app")
}

// TestEC2WithoutTokensIsRefused checks that dockhost sends EC2's service no
// request without a token, and that the problem says what to do.
func TestEC2WithoutTokensIsRefused(t *testing.T) {
	const address = "169.254.169.254"
	h := newHost(t)
	h.onCloud(address, map[string]string{"sys_vendor": "Amazon EC2"})
	h.serve("Ec2", address, "-tokens=false")
	h.cloudUserData(app())
	h.takeOver()
	h.eventually("the problem is in the status", func() error {
		s, _ := h.status()
		if problems := strings.Join(s.Source.Problems, "\n"); !strings.Contains(problems, "allow IMDSv1") || strings.Contains(problems, "s3cret") {
			return fmt.Errorf("source = %+v", s.Source)
		}
		return nil
	})
}
