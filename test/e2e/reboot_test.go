//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// reboot restarts the test host. It does not wait until the host is up.
func reboot(t *testing.T) {
	t.Helper()
	start := time.Now()
	endSessions()
	if out, err := dockerOutside("restart", "--time", "60", hostName()); err != nil {
		t.Fatalf("restart the host: %v: %s", err, out)
	}
	t.Logf("restarted in %s", time.Since(start).Round(time.Second))
}

// TestContainerReturnsAfterReboot reboots while the registry is down, and Docker is
// started by its socket. Units of an operator start once the container is ready.
func TestContainerReturnsAfterReboot(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl enable --quiet dockhost.socket dockhost.service; systemctl disable --quiet docker-registry docker.service")
	t.Cleanup(func() { h.run("systemctl enable --quiet docker-registry docker.service") })
	own := map[string]string{
		"own-requires": "multi-user.target", "own-wants": "multi-user.target", "own-wanted": "dockhost@web.service",
	}
	for name, wantedBy := range own {
		lines := map[string]string{"own-requires": "Requires=dockhost@web.service\n", "own-wants": "Wants=dockhost@web.service\n"}[name]
		h.unit(name+".service", "[Unit]\nAfter=dockhost@web.service\n"+lines+"[Service]\nType=oneshot\nRemainAfterExit=yes\n"+
			"ExecStart=/bin/sh -c 'systemctl is-active dockhost@web.service'\n[Install]\nWantedBy="+wantedBy+"\n")
		h.run("systemctl enable --quiet " + name)
		t.Cleanup(func() { h.run("systemctl disable --quiet " + name) })
	}
	h.reboots()
	h.ready("web")
	for name := range own {
		h.reaches(name+".service", "active", "failed")
		if said := h.journal(name + ".service"); !slices.Contains(strings.Split(said, "\n"), "active") {
			t.Errorf("%s did not start after the container:\n%s", name, said)
		}
	}
	h.run("! systemctl is-active --quiet docker-registry")
	if body := h.run("curl -fsk https://localhost/"); !strings.Contains(body, "1.22") {
		t.Errorf("https://localhost/ = %q, want 1.22 in it", body)
	}
}

// reboots restarts the test host, and returns once it is up.
func (h *host) reboots() {
	h.Helper()
	boot := h.output("cut -d' ' -f22 /proc/1/stat")
	reboot(h.T)
	h.eventually("the host is up again", func() error {
		out, code := h.try("cut -d' ' -f22 /proc/1/stat; systemctl is-system-running --wait")
		if strings.HasPrefix(out, boot+"\n") || code > 1 {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

// TestRuncmdDeclarationSurvivesReboot declares a container by cloud-init's
// runcmd, which runs once per instance: the container runs after each boot.
func TestRuncmdDeclarationSurvivesReboot(t *testing.T) {
	h := newHost(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.userData(`#cloud-config
runcmd:
- HOME=/root docker login -u deploy -p s3cret localhost:5000
- date +%s.%N >>/root/runcmd-ran
- dockhostctl run --name web -p 8443:443 localhost:5000/nginx:1.22
`)
	h.run("rm -f /root/runcmd-ran; cloud-init clean --logs")
	t.Cleanup(func() {
		h.run("cloud-init clean --logs; rm -rf /root/.docker /root/runcmd-ran")
	})
	for _, boot := range []string{"first", "second"} {
		h.reboots()
		if c := h.ready("web"); c.Origin != api.OriginLocal || c.LastError != nil {
			t.Errorf("status after the %s boot = %+v, want a local container", boot, c)
		}
		if s, code := h.status(); code != 0 || s.Source.InstanceID != "i-first" || s.Source.Note == "" {
			t.Errorf("status after the %s boot exits %d with %+v, want 0, and user data without a section", boot, code, s.Source)
		}
		h.run("cloud-init status --wait")
		h.run("curl -fsk https://localhost:8443/")
		if ran := strings.Fields(h.run("cat /root/runcmd-ran")); len(ran) != 1 {
			t.Errorf("runcmd ran at %s, want once", ran)
		}
	}
	// Another instance forgets it.
	h.write(seed+"/meta-data", "instance-id: i-second\n")
	h.run("systemctl reload dockhost")
	h.forgotten("web")
}
