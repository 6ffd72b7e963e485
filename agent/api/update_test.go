package api

import (
	"testing"
	"time"
)

func TestUpdateDecidesWhetherAContainerIsWell(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	hold := func(after time.Duration) *Hold { return &Hold{By: "root", At: since.Add(after)} }
	tests := []struct {
		name    string
		update  *Update
		pending *Pending
		want    bool
	}{
		{"no update", nil, nil, true},
		{"confirmed", &Update{State: OutcomeConfirmed, Quarantined: []Revision{{Image: "nginx"}}}, nil, true},
		{"soaking", &Update{State: StateSoaking}, nil, true},
		{"waiting", &Update{State: StateWaiting, Why: "window"}, nil, true},
		{"waiting with a change of the assignment", &Update{State: StateWaiting, Why: "window"}, &Pending{Image: "nginx"}, true},
		{"waiting after an error", &Update{State: StateWaiting, Why: "window"}, &Pending{Image: "nginx", Error: "port 80 is in use"}, false},
		{"pending for the registry", &Update{State: StatePulling, Cause: CauseRegistry}, &Pending{Image: "nginx"}, true},
		{"a quarantined assignment", &Update{State: OutcomeRolledBack, Since: &since}, &Pending{Image: "nginx", Error: "not ready"}, false},
		{"a quarantined assignment, then held", &Update{State: OutcomeRolledBack, Since: &since, Hold: hold(time.Hour)}, &Pending{Image: "nginx", Error: "not ready"}, true},
		{"pending", &Update{State: StatePulling}, &Pending{Image: "nginx"}, false},
		{"held", &Update{State: OutcomeConfirmed, Hold: hold(0)}, nil, true},
		{"rolled back", &Update{State: OutcomeRolledBack, Since: &since}, nil, false},
		{"rolled back during a hold", &Update{State: OutcomeRolledBack, Since: &since, Hold: hold(-time.Hour)}, nil, false},
		{"rolled back, then held", &Update{State: OutcomeRolledBack, Since: &since, Hold: hold(time.Hour)}, nil, true},
		{"refused", &Update{State: OutcomeRefused, Since: &since}, nil, false},
		{"failed", &Update{State: OutcomeFailed, Since: &since}, nil, false},
		{"paused", &Update{State: OutcomeConfirmed, Paused: "3 updates in a row failed"}, nil, false},
	}
	for _, test := range tests {
		c := Container{Name: "web", Ready: true, Update: test.update, Pending: test.pending}
		if got := c.Well(); got != test.want {
			t.Errorf("%s: Well() = %v, want %v", test.name, got, test.want)
		}
	}
}
