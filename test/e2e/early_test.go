//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestEarlyBootDoesNotWaitForNetwork turns early boot on: Docker and dockhost wait
// for neither the network nor basic.target, and the container waits only for the
// network. Without early boot the units are as packaged.
func TestEarlyBootDoesNotWaitForNetwork(t *testing.T) {
	h := newHost(t)
	h.Cleanup(func() { h.run("rm -f /etc/dockhost/early-boot && systemctl daemon-reload") })
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.userData("#cloud-config\n" + app())
	h.takeOver()
	h.ready("app")
	after := func(unit string) string { return " " + h.property(unit, "After") + " " }
	h.run("mkdir -p /etc/dockhost && touch /etc/dockhost/early-boot")
	h.reboots()
	h.ready("app")
	for _, unit := range []string{"containerd.service", "docker.socket", "docker.service", "dockhost.socket", "dockhost.service"} {
		for _, late := range []string{"basic.target", "sysinit.target", "network.target", "network-online.target"} {
			if strings.Contains(after(unit), " "+late+" ") {
				t.Errorf("After= of %s has %s", unit, late)
			}
		}
	}
	for _, unit := range []string{"docker.service", "network.target", "systemd-networkd-wait-online.service"} {
		if !strings.Contains(after("dockhost@app.service"), " "+unit+" ") {
			t.Errorf("After= of the container lacks %s", unit)
		}
	}
	if out, code := h.try("journalctl -b --no-pager | grep -i 'ordering cycle'"); code == 0 {
		t.Errorf("the units have an ordering cycle: %s", out)
	}

	h.run("rm /etc/dockhost/early-boot && systemctl daemon-reload")
	if path := h.property("docker.service", "FragmentPath"); strings.HasPrefix(path, "/run/") {
		t.Errorf("FragmentPath of docker.service = %s, want the packaged unit", path)
	}
	if !strings.Contains(after("dockhost.service"), " basic.target ") {
		t.Error("After= of dockhost.service lacks basic.target")
	}
}
