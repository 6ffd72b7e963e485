package agent

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/config"
	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// The user data goes before the configuration; what either keeps, stays.
func TestHousekeepingPolicy(t *testing.T) {
	h := newTestHost(t)
	h.write("/etc/dockhost/dockhost.yaml", "housekeeping: {high: 90, low: 80, keep: a, keep_last: 5}\n")
	h.userData("i-1", containers("web nginx:1")+"  housekeeping: {high: 80%, keep: b, networks: unused}\n")
	a := h.agent()
	if policy := a.housekeepingPolicy(); !policy.Off {
		t.Error("housekeeping is on before the configuration was read")
	}
	if a.knowsAssignment() {
		t.Error("it is known what is assigned before anything was read")
	}
	a.takeOver(t.Context()).Wait()
	want := housekeeping.DefaultPolicy()
	want.High, want.Low, want.Keep, want.KeepLast, want.Networks = 80, 70, []string{"a", "b"}, 5, true
	if diff := cmp.Diff(want, a.housekeepingPolicy()); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	h.write("/etc/dockhost/dockhost.yaml", "housekeeping: {high: 90, low: 95}\n")
	a.readConfig()
	if diff := cmp.Diff(want, a.housekeepingPolicy()); diff != "" {
		t.Errorf("policy after a mistake (-want +got):\n%s", diff)
	}
}

// What is in force, what is asked for, and what is about to replace something
// is all needed.
func TestAssignedImages(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1", "db postgres:1"))
	a := h.agent()
	a.takeOver(t.Context()).Wait()
	a.mu.Lock()
	a.pending["web"] = &api.Pending{Image: "nginx:2"}
	a.kept.UserData.Containers[0].Image = "postgres:2"
	a.mu.Unlock()
	assigned := a.assignedImages()
	for _, image := range []string{"nginx:1", "nginx:2", "postgres:1", "postgres:2"} {
		if !slices.Contains(assigned.Images, image) {
			t.Errorf("assigned = %v, want %s among them", assigned.Images, image)
		}
	}
	if !slices.Equal(assigned.Names, []string{"db", "web"}) {
		t.Errorf("names = %v", assigned.Names)
	}
}

// An image that cannot fit is refused before its pull, and one that may is
// pulled, also when its registry does not say how large it is.
func TestAdmit(t *testing.T) {
	const mb = 1 << 20
	tests := []struct {
		name     string
		free     int64
		download int64
		err      error
		want     string // part of the error; "" is none
	}{
		{"fits", 500 * mb, 100 * mb, nil, ""},
		{"may fit", 150 * mb, 100 * mb, nil, ""},
		{"cannot fit", 50 * mb, 100 * mb, nil, `image "nginx:1" was not pulled: 104.9MB are to be downloaded, and do not fit: `},
		{"not known", 50 * mb, 0, errors.New("no answer"), ""},
		{"not asked", ampleRoom + 1, 1 << 60, nil, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			a := h.agent()
			docker, err := engine.New(engine.Options{Host: enginetest.NewServer(t).Address()})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = docker.Close() })
			a.Store = docker
			a.PullSize = func(context.Context, string, string) (int64, error) { return test.download, test.err }
			a.keeper = a.newKeeper()
			a.keeper.Statfs = func(root string) (housekeeping.Disk, error) {
				return housekeeping.Disk{Root: root, Used: 10 * mb, Free: test.free, Files: 100, FilesFree: 90}, nil
			}
			h.engine.registry["nginx:1"] = true
			a.config = &config.Config{}
			_, err = a.pull(t.Context(), &spec.Container{Name: "web", Image: "nginx:1"})
			if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("error = %v, want %q", err, test.want)
			}
			if pulled := h.engine.images["nginx:1"]; pulled != (err == nil) {
				t.Errorf("pulled = %t with the error %v", pulled, err)
			}
		})
	}
}
