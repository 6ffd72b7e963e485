package agent

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/dockhost/dockhost/systemd"
)

// awayUnits is a systemd that goes away some times before it answers.
type awayUnits struct {
	unitManager
	times int
}

func (a *awayUnits) Unit(context.Context, string) (systemd.Unit, error) {
	if a.times--; a.times >= 0 {
		return systemd.Unit{}, fmt.Errorf("get the properties: %w", systemd.ErrAway)
	}
	return systemd.Unit{ActiveState: "active"}, nil
}

// The agent waits for a systemd that executes itself again, and not for ever.
func TestPatientUnits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		unit, err := patientUnits{&awayUnits{times: 3}}.Unit(t.Context(), "web.service")
		if err != nil || unit.ActiveState != "active" {
			t.Errorf("Unit() = %+v, %v, want the unit", unit, err)
		}
		if _, err := (patientUnits{&awayUnits{times: 1000}}).Unit(t.Context(), "web.service"); err == nil {
			t.Error("Unit() of a systemd that stays away = nil, want an error")
		}
	})
}
