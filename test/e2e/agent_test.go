//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// A clone of the machine must not run what its original was assigned.
func TestCloneForgetsItsOriginal(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl stop dockhost")
	h.write(seed+"/meta-data", "instance-id: i-second\n")
	h.write(seed+"/user-data", "#cloud-config\ndockhost: [\n")
	h.run("systemctl start dockhost")
	s, code := h.status()
	if code != 3 || s.Source.LastKnownGood || len(s.Source.Problems) == 0 {
		t.Errorf("status exits %d with %+v, want 3, no last known good and the problem", code, s.Source)
	}
	h.run("! grep -q nginx /var/lib/dockhost/assignment.json")
}

// With the metadata gone, the last known good runs, and status says so.
func TestLastKnownGoodRunsWithoutUserData(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl stop dockhost dockhost@web; rm -r " + seed + "; systemctl start dockhost")
	h.ready("web")
	if s, code := h.status(); code != 3 || !s.Source.LastKnownGood {
		t.Errorf("status exits %d with %+v, want 3 and last known good", code, s.Source)
	}
}

// Without the agent, status says what systemd and Docker know.
func TestStatusWorksWithoutAgent(t *testing.T) {
	h := newHost(t)
	h.assign(web)
	h.ready("web")
	h.run("systemctl stop dockhost.socket dockhost.service")
	s, code := h.status()
	if code != 4 || s.Agent.Reachable || len(s.Containers) != 1 || !s.Containers[0].Ready || s.Containers[0].Health != "healthy" {
		t.Errorf("status exits %d with %+v, want 4 and a ready container", code, s)
	}
	if out, code := h.try("dockhostctl status"); code != 4 || !strings.Contains(out, "unreachable") || !strings.Contains(out, "web") {
		t.Errorf("status exits %d with %q", code, out)
	}
}

// A unit that nothing assigns is not started, and so never restarted.
func TestUnassignedUnitDoesNotStart(t *testing.T) {
	h := newHost(t)
	if _, code := h.try("systemctl start dockhost@typo"); code == 0 {
		t.Errorf("systemctl start dockhost@typo succeeded")
	}
	if state := h.property("dockhost@typo", "ActiveState"); state != "inactive" {
		t.Errorf("ActiveState = %s, want inactive", state)
	}
}

// Without Docker the agent waits, and says for what.
func TestAgentWaitsForDocker(t *testing.T) {
	h := newHost(t)
	h.run("systemctl mask --quiet --now docker.service docker.socket")
	h.assign(good())
	h.eventually("the agent says what it waits for", func() error {
		for _, unit := range []string{"dockhost", "dockhost@app"} {
			if text := h.property(unit, "StatusText"); !strings.Contains(text, "waiting for Docker at unix:///var/run/docker.sock") {
				return fmt.Errorf("%s says %q", unit, text)
			}
		}
		return nil
	})
	if s, code := h.status(); code != 3 || s.Docker.Reachable || s.Docker.Error == "" {
		t.Errorf("status exits %d with %+v, want 3 and the reason", code, s.Docker)
	}
	h.run("systemctl unmask --quiet docker.service docker.socket && systemctl start docker.service")
	h.ready("app")
	h.eventually("the agent waits no more", func() error {
		if text := h.property("dockhost", "StatusText"); strings.Contains(text, "waiting") {
			return fmt.Errorf("it says %q", text)
		}
		return nil
	})
}
