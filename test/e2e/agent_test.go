//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestCloneForgetsItsOriginal changes the instance-id, as in a clone of the
// machine: the stored assignment of the original must not run.
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
		t.Errorf("status exits %d with %+v, want 3, a problem and no last known good", code, s.Source)
	}
	h.run("! grep -q nginx /var/lib/dockhost/assignment.json")
}

// TestLastKnownGoodRunsWithoutUserData removes the user data: the last known good
// assignment runs, and the status says so.
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

// TestStatusWorksWithoutAgent checks that dockhostctl status asks systemd and
// Docker while the agent does not run, and reads who has stopped a container.
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
	h.run("systemctl start dockhost.socket dockhost.service && dockhostctl stop web && systemctl stop dockhost.socket dockhost.service")
	if out, code := h.try("dockhostctl status"); code != 4 || !strings.Contains(out, "by dockhostctl stop (root)") {
		t.Errorf("status exits %d with %q, want 4 and who has stopped the container", code, out)
	}
	if out, code := h.try("runuser -u nobody dockhostctl status"); code != 4 || !strings.Contains(out, "only root may see who has stopped") {
		t.Errorf("status of another user exits %d with %q, want 4 and who may know more", code, out)
	}
}

// TestUnassignedUnitDoesNotStart starts a unit whose container is not assigned:
// it fails to start, so systemd never restarts it.
func TestUnassignedUnitDoesNotStart(t *testing.T) {
	h := newHost(t)
	if _, code := h.try("systemctl start dockhost@typo"); code == 0 {
		t.Errorf("systemctl start dockhost@typo succeeded")
	}
	if state := h.property("dockhost@typo", "ActiveState"); state != "inactive" {
		t.Errorf("ActiveState = %s, want inactive", state)
	}
}

// TestAgentWaitsForDocker checks that agent and supervisor wait while Docker does
// not run, and that their status says so.
func TestAgentWaitsForDocker(t *testing.T) {
	h := newHost(t)
	h.run("systemctl mask --quiet --now docker.service docker.socket")
	h.assign(good())
	h.eventually("both wait for Docker", func() error {
		for _, unit := range []string{"dockhost", "dockhost@app"} {
			if text := h.property(unit, "StatusText"); !strings.Contains(text, "waiting for Docker at unix:///var/run/docker.sock") {
				return fmt.Errorf("StatusText of %s = %q", unit, text)
			}
		}
		return nil
	})
	if s, code := h.status(); code != 3 || s.Docker.Reachable || s.Docker.Error == "" {
		t.Errorf("status exits %d with %+v, want 3 and the reason", code, s.Docker)
	}
	h.run("systemctl unmask --quiet docker.service docker.socket && systemctl start docker.service")
	h.ready("app")
	h.eventually("the agent no longer waits", func() error {
		if text := h.property("dockhost", "StatusText"); strings.Contains(text, "waiting") {
			return fmt.Errorf("StatusText = %q", text)
		}
		return nil
	})
}
