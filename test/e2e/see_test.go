//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// shows waits until dockhostctl status shows a container in a state, for a reason with a
// text in it.
func (h *host) shows(name string, state api.State, reason string) {
	h.Helper()
	h.eventually(name+" is "+string(state), func() error {
		c, err := h.container(name)
		if err != nil {
			return err
		}
		if c.State != state || !strings.Contains(c.Reason, reason) {
			return fmt.Errorf("it is %s: %s", c.State, c.Reason)
		}
		return nil
	})
}

// TestStatusShowsState checks the states that an operator or a health check causes, each
// with its reason, also while dockhostctl status --watch runs.
func TestStatusShowsState(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	h.Cleanup(func() { h.try("systemctl unmask dockhost@sick; rm -f /run/watched") })
	h.declares(`--name sick --health-cmd 'test -e /well || { echo no luck; exit 3; }' --health-interval 1s --health-retries 2 localhost:5000/busybox sleep 1000`)
	h.run("systemd-run --quiet --unit=watcher sh -c 'exec dockhostctl status --watch --json >/run/watched'")
	h.Cleanup(func() { h.try("systemctl stop watcher; systemctl reset-failed watcher") })

	h.shows("sick", api.ContainerUnhealthy, "exit status 3: no luck")
	if out, code := h.try("dockhostctl status"); code != 3 || !strings.HasPrefix(out, "0 of 1 container ready; sick: its health check fails\n") {
		t.Errorf("status exits %d and begins with another verdict: %s", code, out)
	}
	h.eventually("the journal has the output of the check", func() error {
		if log := h.output("dockhostctl logs sick --lines=100"); !strings.Contains(log, "no luck") {
			return fmt.Errorf("logs: %s", log)
		}
		return nil
	})
	if out, code := h.try("dockhostctl wait sick --for healthy --timeout 1s"); code != 7 || !strings.Contains(out, "no luck") {
		t.Errorf("wait exits %d and prints %q, want 7 and the reason", code, out)
	}
	h.run("docker exec sick touch /well && dockhostctl wait sick --for healthy --timeout 1m")
	wants := []string{"CPU:", "checked"}
	if _, code := h.try("grep -qw memory /sys/fs/cgroup/cgroup.controllers || test -e /sys/fs/cgroup/memory/memory.limit_in_bytes"); code == 0 {
		wants = append(wants, "memory:", "tasks:")
	}
	whole := h.run("dockhostctl status sick")
	for _, want := range wants {
		if !strings.Contains(whole, want) {
			t.Errorf("status sick prints %s, want %q in it", whole, want)
		}
	}

	h.run("docker pause sick")
	h.shows("sick", api.ContainerPaused, "docker pause")
	h.eventually("the watch has shown it", func() error {
		if out := h.run("cat /run/watched"); !strings.Contains(out, `"state": "paused"`) {
			return fmt.Errorf("it has %d bytes without it", len(out))
		}
		return nil
	})
	h.run("docker unpause sick && systemctl mask --runtime --quiet dockhost@sick")
	h.shows("sick", api.ContainerMasked, "masked")
	// On cgroup v1 systemd takes cgroups away from a masked unit.
	h.run("systemctl unmask --runtime --quiet dockhost@sick && systemctl daemon-reload && systemctl restart dockhost@sick && docker exec sick touch /well")
	h.shows("sick", api.ContainerReady, "")

	// Without the agent, too.
	h.run("docker pause sick; systemctl stop dockhost.socket dockhost.service")
	if out, code := h.try("dockhostctl status"); code != 4 || !strings.Contains(out, "paused") {
		t.Errorf("status without the agent exits %d and prints %s, want 4 and paused", code, out)
	}
	h.run("docker unpause sick; systemctl start dockhost.socket dockhost.service")
}

// TestStatusListsUnits checks that units that call dockhost run are listed: one that runs,
// and one that fails at each start.
func TestStatusListsUnits(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	const service = "[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\n"
	h.unit("legacy.service", service+"ExecStart=/usr/bin/dockhost run --name legacy localhost:5000/busybox sleep 1000\n")
	h.unit("broken.service", service+"ExecStart=/usr/bin/dockhost run --name broken localhost:5000/busybox false\nRestart=always\nRestartSec=1h\n")
	h.run("systemctl start legacy; systemctl start --no-block broken")
	h.shows("legacy.service", api.ContainerReady, "")
	h.shows("broken.service", api.ContainerRestarting, "")
	if out, _ := h.try("dockhostctl status"); !strings.Contains(out, "legacy.service (unit)") {
		t.Errorf("status prints %s, want legacy.service (unit)", out)
	}
	h.run("dockhostctl status legacy | grep -q busybox")
	h.run("systemctl stop legacy broken; systemctl reset-failed legacy broken || true")
}
