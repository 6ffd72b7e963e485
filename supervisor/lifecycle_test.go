package supervisor

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// allPhases is every phase, in the order of a life.
func allPhases() []phase {
	return []phase{phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning, phaseStopping, phaseEnded}
}

// TestLifecycle holds the state machine to the diagram in
// docs/architecture.md: for each event, where each phase goes; "" is a mistake
// of the caller.
func TestLifecycle(t *testing.T) {
	events := map[string]struct {
		send func(*lifecycle)
		to   map[phase]phase
	}{
		"engineAnswered": {(*lifecycle).engineAnswered, map[phase]phase{phaseWaiting: phasePulling}},
		"pulled":         {(*lifecycle).pulled, map[phase]phase{phasePulling: phaseCreating}},
		"created":        {(*lifecycle).created, map[phase]phase{phaseCreating: phaseStarting}},
		"started":        {(*lifecycle).started, map[phase]phase{phaseStarting: phaseUnready}},
		"ready": {(*lifecycle).ready, map[phase]phase{
			phaseUnready: phaseRunning, phaseRunning: phaseRunning, phaseStopping: phaseStopping, phaseEnded: phaseEnded,
		}},
		"restarted": {(*lifecycle).restarted, map[phase]phase{phaseRunning: phaseUnready, phaseUnready: phaseUnready}},
		"stopRequested": {(*lifecycle).stopRequested, map[phase]phase{
			phaseWaiting: phaseStopping, phasePulling: phaseStopping, phaseCreating: phaseStopping, phaseStarting: phaseStopping,
			phaseUnready: phaseStopping, phaseRunning: phaseStopping, phaseStopping: phaseStopping, phaseEnded: phaseEnded,
		}},
		"exited": {(*lifecycle).exited, map[phase]phase{
			phaseWaiting: phaseEnded, phasePulling: phaseEnded, phaseCreating: phaseEnded, phaseStarting: phaseEnded,
			phaseUnready: phaseEnded, phaseRunning: phaseEnded, phaseStopping: phaseEnded, phaseEnded: phaseEnded,
		}},
	}
	for name, event := range events {
		for _, from := range allPhases() {
			t.Run(name+"/"+string(from), func(t *testing.T) {
				want, allowed := event.to[from]
				var seen []phase
				l := &lifecycle{phase: from, changed: func(_, to phase) { seen = append(seen, to) }}
				defer func() {
					if panicked := recover() != nil; panicked == allowed {
						t.Errorf("%s in phase %s: panicked = %v, want %v", name, from, panicked, !allowed)
					}
				}()
				event.send(l)
				if l.phase != want {
					t.Errorf("%s in phase %s leads to %s, want %s", name, from, l.phase, want)
				}
				var changes []phase
				if want != from {
					changes = []phase{want}
				}
				if diff := cmp.Diff(changes, seen); diff != "" {
					t.Errorf("%s in phase %s told (-want +got):\n%s", name, from, diff)
				}
			})
		}
	}
}
