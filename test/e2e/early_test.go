//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// Where early boot is asked for, neither Docker nor dockhost waits for the
// network or for what basic.target waits for; the container does, for the
// network alone. Without it, all is as it was packaged.
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
				t.Errorf("%s is after %s", unit, late)
			}
		}
	}
	for _, unit := range []string{"docker.service", "network.target", "systemd-networkd-wait-online.service"} {
		if !strings.Contains(after("dockhost@app.service"), " "+unit+" ") {
			t.Errorf("the container is not after %s", unit)
		}
	}
	if out, code := h.try("journalctl -b --no-pager | grep -i 'ordering cycle'"); code == 0 {
		t.Errorf("the units cannot be ordered: %s", out)
	}

	h.run("rm /etc/dockhost/early-boot && systemctl daemon-reload")
	if path := h.property("docker.service", "FragmentPath"); strings.HasPrefix(path, "/run/") {
		t.Errorf("docker.service is still %s", path)
	}
	if !strings.Contains(after("dockhost.service"), " basic.target ") {
		t.Error("dockhost.service is not after basic.target any more")
	}
}
