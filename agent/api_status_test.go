package agent

import (
	"context"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/systemd"
)

// slowUnits is a systemd whose first answer about a unit comes before meanwhile.
type slowUnits struct {
	*fakeUnits
	meanwhile func()
}

func (u *slowUnits) Unit(ctx context.Context, name string) (systemd.Unit, error) {
	unit, err := u.fakeUnits.Unit(ctx, name)
	if happen := u.meanwhile; happen != nil {
		u.meanwhile = nil
		happen()
	}
	return unit, err
}

// A container that was replaced while the status was gathered is not reported under
// the successor's origin.
func TestStatusIsOfOneMoment(t *testing.T) {
	h := newTestHost(t)
	units := &slowUnits{fakeUnits: h.units}
	a := h.agent(func(o *Options) {
		o.Status = status.Gatherer{Root: h.root, Dir: h.units.run, Engine: infoEngine{}, Units: units, Runtime: "dockhost"}
	})
	a.takeOver(t.Context())
	if err := a.declare(t.Context(), local("web", "nginx:1")); err != nil {
		t.Fatal(err)
	}
	h.engine.images["nginx:2"] = true
	h.userData("i-1", containers("web nginx:2"))
	units.meanwhile = func() { a.takeOver(t.Context()).wait() }
	got := a.server.hostStatus(t.Context())
	if len(got.Containers) != 1 || got.Containers[0].Origin != api.OriginUserData || got.Containers[0].Image != "nginx:2" {
		t.Errorf("status = %+v, want nginx:2 of the user data", got)
	}
}
