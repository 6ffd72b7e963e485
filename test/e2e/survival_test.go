//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestContainerSurvivesIsolate isolates the target of the host. Rescue mode stops
// containers, and the agent starts them afterwards.
func TestContainerSurvivesIsolate(t *testing.T) {
	h := newHost(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.assign(app())
	before := h.ready("app")
	pid := h.pid("app")
	h.run("timeout 60 systemctl isolate multi-user.target")
	h.run("! systemctl list-jobs --no-legend 'dockhost*' | grep stop")
	if after := h.ready("app"); after.ID != before.ID || h.pid("app") != pid {
		t.Errorf("container after isolate = %s with PID %s, want %s with PID %s", after.ID, h.pid("app"), before.ID, pid)
	}

	h.run("systemctl --no-block isolate rescue.target")
	h.reaches("dockhost@app", "inactive")
	if result := h.property("dockhost@app", "Result"); result != "success" {
		t.Errorf("Result in rescue mode = %s, want success", result)
	}
	h.run("timeout 60 systemctl isolate multi-user.target")
	if after := h.ready("app"); after.ID == before.ID {
		t.Error("container is the one from before rescue mode")
	}
}

// TestRemovedContainerIsNotFailed removes a container that ignores its stop signal,
// and one that fails again and again. A container that stays assigned is failed
// after it was killed at its stop.
func TestRemovedContainerIsNotFailed(t *testing.T) {
	h := newHost(t)
	const stubborn = "\n      image: localhost:5000/app:1\n      command: [\"-ignore-sigterm\"]\n      stop_grace_period: 1s\n"
	const crashing = "    crashing:\n      image: localhost:5000/app:1\n      command: [\"-no-such-flag\"]\n      restart: \"no\"\n"
	h.assign("dockhost:\n  containers:\n    stays:" + stubborn + "    goes:" + stubborn + crashing + registries)
	h.ready("stays")
	h.ready("goes")
	h.reaches("dockhost@crashing", "failed")
	h.assign("dockhost:\n  containers:\n    stays:" + stubborn + registries)
	h.ready("stays")
	h.reaches("dockhost@goes", "inactive")
	if failed := h.output("systemctl list-units --no-legend --failed"); failed != "" {
		t.Errorf("failed units:\n%s", failed)
	}
	for unit, said := range map[string]string{"dockhost@goes": "did not end on its stop signal", "dockhost": "a unit that is not needed any more had failed"} {
		if journal := h.journal(unit); !strings.Contains(journal, said) {
			t.Errorf("the journal of %s lacks %q:\n%s", unit, said, journal)
		}
	}
	h.try("systemctl stop dockhost@stays")
	h.reaches("dockhost@stays", "failed")
}
