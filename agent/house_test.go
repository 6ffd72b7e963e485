package agent

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/housekeeping"
)

// The user data takes precedence over the configuration; patterns to keep add up.
func TestHousekeepingPolicy(t *testing.T) {
	h := newTestHost(t)
	h.write("/etc/dockhost/dockhost.yaml", "housekeeping: {high: 90, low: 80, keep: a, keep_last: 5}\n")
	h.userData("i-1", containers("web nginx:1")+"  housekeeping: {high: 80%, keep: b, networks: unused}\n")
	a := h.agent()
	if policy := a.house.policy(); !policy.Off {
		t.Error("housekeeping is on before the configuration was read")
	}
	if a.house.knowsAssignment() {
		t.Error("it is known what is assigned before anything was read")
	}
	a.takeOver(t.Context()).wait()
	want := housekeeping.DefaultPolicy()
	want.High, want.Low, want.Keep, want.KeepLast, want.Networks = 80, 70, []string{"a", "b"}, 5, true
	if diff := cmp.Diff(want, a.house.policy()); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	h.write("/etc/dockhost/dockhost.yaml", "housekeeping: {high: 90, low: 95}\n")
	a.config.read()
	if diff := cmp.Diff(want, a.house.policy()); diff != "" {
		t.Errorf("policy after a mistake (-want +got):\n%s", diff)
	}
}

// Images are needed if a container is in force, declared or pending.
func TestAssignedImages(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1", "db postgres:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	a.store.showPending("web", &api.Pending{Image: "nginx:2", Doing: "waiting"})
	a.store.snapshot().accepted.UserData.Containers[0].Image = "postgres:2"
	assigned := a.house.assigned()
	for _, image := range []string{"nginx:1", "nginx:2", "postgres:1", "postgres:2"} {
		if !slices.Contains(assigned.Images, image) {
			t.Errorf("assigned = %v, want %s among them", assigned.Images, image)
		}
	}
	if !slices.Equal(assigned.Names, []string{"db", "web"}) {
		t.Errorf("names = %v", assigned.Names)
	}
}
