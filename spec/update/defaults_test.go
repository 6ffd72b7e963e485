package update

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func TestDefaults(t *testing.T) {
	none := spec.Update{
		Policy: spec.UpdateNone, Check: 5 * time.Minute, Order: spec.StopFirst, RollbackOrder: spec.StopFirst, Monitor: time.Minute,
		FailureAction: spec.FailureRollback, PauseAfter: 3, Wariness: new(0.0),
	}
	host := spec.Update{
		Policy: spec.UpdateRegistry, Check: time.Hour, Order: spec.StartFirst, RollbackOrder: spec.StartFirst, Monitor: 10 * time.Minute,
		FailureAction: spec.FailurePause, Windows: []string{"daily +1h"}, PauseAfter: 1, Lock: &spec.UpdateLock{File: "/run/lock"},
		FleetLock: &spec.FleetLock{BaseURL: "http://lock.example/", Group: "web", HoldAfterFailure: time.Minute}, Wariness: new(0.5),
	}
	own := spec.Update{
		Policy: spec.UpdateNone, Check: time.Minute, Order: spec.StopFirst, RollbackOrder: spec.StopFirst, Monitor: time.Second,
		FailureAction: spec.FailureContinue, Windows: []string{"weekly +1h"}, PauseAfter: 9, Lock: &spec.UpdateLock{Exec: []string{"x"}},
		FleetLock: &spec.FleetLock{BaseURL: "http://other.example/", Group: "db", HoldAfterFailure: time.Hour}, Wariness: new(0.0),
	}
	locked := none
	locked.FleetLock = &spec.FleetLock{BaseURL: "http://lock.example/", Group: "web", HoldAfterFailure: 10 * time.Minute}
	mixed := none
	mixed.Monitor, mixed.Check, mixed.Policy = 10*time.Minute, 10*time.Minute, spec.UpdateRegistry
	tests := []struct {
		name    string
		c, host *spec.Update
		want    spec.Update
	}{
		{"nothing", nil, nil, none},
		{"empty", &spec.Update{}, &spec.Update{}, none},
		{"the host's", nil, &host, host},
		{"the container's own", &own, &host, own},
		{"own alone", &own, nil, own},
		{"a lock without a time", &spec.Update{FleetLock: &spec.FleetLock{BaseURL: "http://lock.example/", Group: "web"}}, nil, locked},
		{"a soak that the other's check is too short for", &spec.Update{Policy: spec.UpdateRegistry}, &spec.Update{Monitor: 10 * time.Minute}, mixed},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, Defaults(test.c, test.host)); diff != "" {
				t.Errorf("Defaults() (-want +got):\n%s", diff)
			}
		})
	}
}

// The host's start-first is for the containers that can run twice.
func TestFor(t *testing.T) {
	host := &spec.Update{Order: spec.StartFirst}
	c := &spec.Container{HostConfig: &container.HostConfig{}, Config: &container.Config{}}
	if got := For(c, host).Order; got != spec.StartFirst {
		t.Errorf("For() of a container that can run twice has the order %s", got)
	}
	c.HostConfig.PortBindings = nat.PortMap{"80/tcp": {{HostPort: "80"}}}
	if got := For(c, host).Order; got != spec.StopFirst {
		t.Errorf("For() of a container with a fixed port has the order %s", got)
	}
}
