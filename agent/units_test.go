package agent

import (
	"testing"
)

// A unit that is not needed any more does not stay failed, whether its stop had to
// kill the container or it had failed before.
func TestRemovedUnitsAreNotFailed(t *testing.T) {
	tests := []struct{ name, unit string }{
		{"container killed at its stop", "dockhost@db.service"},
		{"container failed before", "dockhost@db.service"},
		{"mount killed at its stop", "mnt-data.mount"},
		{"mount failed before", "mnt-data.mount"},
	}
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			h.userData("i-1", mounted("/dev/sdb"))
			h.agent().takeOver(t.Context()).wait()
			h.units.active[test.unit] = i%2 == 0
			h.units.killed[test.unit], h.units.failed[test.unit] = i%2 == 0, i%2 != 0
			h.userData("i-1", containers("web nginx:1"))
			h.agent().takeOver(t.Context()).wait()
			if h.units.failed[test.unit] {
				t.Errorf("%s is still failed", test.unit)
			}
		})
	}
}

// A unit that failed and that nothing assigns, which an agent that was killed has
// left, is reset at the next start of the agent.
func TestLeftoverFailureIsReset(t *testing.T) {
	h := newTestHost(t)
	h.units.failed["dockhost@old.service"] = true
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	if h.units.failed["dockhost@old.service"] {
		t.Error("dockhost@old.service is still failed")
	}
}
