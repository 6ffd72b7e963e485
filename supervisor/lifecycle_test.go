package supervisor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// allPhases returns every phase, in the order of a life.
func allPhases() []phase {
	return []phase{phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseUnready, phaseRunning, phaseStopping, phaseEnded}
}

// wantTransitions returns, for each event, the phase that follows each phase. A
// missing phase means that the event is out of order there.
func wantTransitions() map[event]map[phase]phase {
	return map[event]map[phase]phase{
		eventEngineAnswered: {phaseWaiting: phasePulling},
		eventPulled:         {phasePulling: phaseCreating},
		eventCreated:        {phaseCreating: phaseStarting},
		eventStarted:        {phaseStarting: phaseUnready},
		eventReady: {
			phaseUnready: phaseRunning, phaseRunning: phaseRunning, phaseStopping: phaseStopping, phaseEnded: phaseEnded,
		},
		eventRestarted: {phaseRunning: phaseUnready, phaseUnready: phaseUnready},
		eventStopRequested: {
			phaseWaiting: phaseStopping, phasePulling: phaseStopping, phaseCreating: phaseStopping, phaseStarting: phaseStopping,
			phaseUnready: phaseStopping, phaseRunning: phaseStopping, phaseStopping: phaseStopping, phaseEnded: phaseEnded,
		},
		eventExited: {
			phaseWaiting: phaseEnded, phasePulling: phaseEnded, phaseCreating: phaseEnded, phaseStarting: phaseEnded,
			phaseUnready: phaseEnded, phaseRunning: phaseEnded, phaseStopping: phaseEnded, phaseEnded: phaseEnded,
		},
	}
}

// Every event in every phase leads where the table says, or is kept as a fault.
func TestLifecycleTransitions(t *testing.T) {
	for event, follows := range wantTransitions() {
		for _, from := range allPhases() {
			t.Run(string(event)+"/"+string(from), func(t *testing.T) {
				to, allowed := follows[from]
				var seen []phase
				l := &lifecycle{phase: from, changed: func(_, to phase) { seen = append(seen, to) }}
				l.send(event)
				if (l.fault == nil) != allowed {
					t.Errorf("%s in phase %s: fault = %v, want one: %v", event, from, l.fault, !allowed)
				}
				if !allowed {
					to = from
				}
				if l.phase != to {
					t.Errorf("%s in phase %s leads to %s, want %s", event, from, l.phase, to)
				}
				var changes []phase
				if to != from {
					changes = []phase{to}
				}
				if diff := cmp.Diff(changes, seen); diff != "" {
					t.Errorf("%s in phase %s reported (-want +got):\n%s", event, from, diff)
				}
			})
		}
	}
}

// Every event has a rule, and no phase has two rules for one event.
func TestLifecycleRulesAreUnambiguous(t *testing.T) {
	type cell struct {
		event event
		phase phase
	}
	seen := map[cell]bool{}
	for _, rule := range rules() {
		if _, known := wantTransitions()[rule.event]; !known {
			t.Errorf("event %s is not tested", rule.event)
		}
		for _, in := range rule.in {
			if seen[cell{rule.event, in}] {
				t.Errorf("%s in phase %s has two rules", rule.event, in)
			}
			seen[cell{rule.event, in}] = true
		}
	}
}

// The first fault is kept: later ones follow from it.
func TestLifecycleKeepsTheFirstFault(t *testing.T) {
	l := &lifecycle{phase: phaseWaiting, changed: func(_, _ phase) {}}
	l.send(eventReady)
	l.send(eventCreated)
	if l.fault == nil || !strings.Contains(l.fault.Error(), `event "ready" in phase "waiting"`) {
		t.Errorf("fault = %v, want the first event out of order", l.fault)
	}
}
