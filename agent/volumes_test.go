package agent

import (
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The volumes of a container stay when it is forgotten, and are removed on request:
// its own, and nobody else's.
func TestForgetWithVolumes(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	h.declare(a, local("db", "postgres:1"), local("web", "nginx:1"))
	h.engine.volumes = map[string]string{"db__data": "db", "db__log": "db", "web__data": "web", "own": ""}
	forget := func(name string, volumes bool, want error) {
		t.Helper()
		if err := a.request(t.Context(), change{name: name, volumes: volumes}); !errors.Is(err, want) {
			t.Errorf("forget %s, volumes %v: %v, want %v", name, volumes, err, want)
		}
	}
	left := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(h.engine.volumes))); diff != "" {
			t.Errorf("volumes (-want +got):\n%s", diff)
		}
	}
	forget("db", false, nil)
	left("db__data", "db__log", "own", "web__data")
	forget("db", false, errNoContainer)
	forget("db", true, nil)
	left("own", "web__data")
	forget("db", true, errNoContainer)
	forget("web", true, nil)
	left("own")
}

// The volumes of a container that the user data assigns are in use.
func TestForgetVolumesOfAssigned(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context())
	h.engine.volumes = map[string]string{"web__data": "web"}
	if err := a.request(t.Context(), change{name: "web", volumes: true}); !errors.Is(err, errDeclared) {
		t.Errorf("forget = %v, want %v", err, errDeclared)
	}
	if len(h.engine.volumes) != 1 {
		t.Error("the volume was removed")
	}
}
