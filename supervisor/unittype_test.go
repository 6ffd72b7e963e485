package supervisor

import "testing"

// systemd would wait for ever for a unit that is not up until this process ends.
func TestUnitType(t *testing.T) {
	tests := []struct {
		serviceType, subState string
		background            bool
		problem               string
	}{
		{"notify", "start", true, ""},
		{"simple", "running", true, ""},
		{"oneshot", "start", false, ""},
		{"oneshot", "start", true, unitName + " has Type=oneshot: systemd waits"},
		{"forking", "start", false, unitName + " has Type=forking: systemd waits"},
		{"forking", "start", true, "Type=notify"},
		{"notify", "start-pre", true, "is in its state start-pre"},
		{"notify", "start-pre", false, ""},
	}
	for _, test := range tests {
		t.Run(test.serviceType+" "+test.subState, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run = newRun()
			r.spec.Run.Background = test.background
			r.units.serviceType, r.units.subState = test.serviceType, test.subState
			l := r.start()
			if test.problem != "" {
				l.exits(ExitNotRun, test.problem)
				l.leftNothing()
				return
			}
			l.ready()
		})
	}
}
