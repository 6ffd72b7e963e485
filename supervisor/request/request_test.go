package request

import (
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

func declared() *spec.Container {
	return &spec.Container{
		Name: "web", Platform: "linux/amd64", Runtime: "crun",
		Config:     &container.Config{Env: []string{"A=1", "NOTIFY_SOCKET=/mine"}, Labels: map[string]string{"own": "label"}},
		HostConfig: &container.HostConfig{},
	}
}

func TestMake(t *testing.T) {
	c := declared()
	got := Make(c, Host{
		Unit: "dockhost@web.service", Supervisor: "me", ConfigHash: "hash", FileEnv: []string{"A=0", "B=1", "C=1", "B=2"},
		NotifySocket: "/run/s", Watchdog: time.Second,
	})
	want := engine.CreateRequest{
		Name: "web", Platform: "linux/amd64",
		Config: &container.Config{
			Env:    []string{"C=1", "B=2", "A=1", "NOTIFY_SOCKET=/run/dockhost/notify.sock", "WATCHDOG_USEC=1000000"},
			Labels: map[string]string{"own": "label", LabelUnit: "dockhost@web.service", LabelSupervisor: "me", LabelConfigHash: "hash"},
		},
		HostConfig: &container.HostConfig{
			Runtime:       spec.RuntimeName,
			Mounts:        []mount.Mount{{Type: mount.TypeBind, Source: "/run/s", Target: NotifyTarget}},
			RestartPolicy: container.RestartPolicy{Name: container.RestartPolicyDisabled},
		},
	}
	want.HostConfig.CgroupParent = "/dockhost/dockhost@web.service.slice"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Make() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(declared(), c); diff != "" {
		t.Errorf("Make() changes the container:\n%s", diff)
	}
}

// Outside a unit Docker chooses the container's cgroup and runtime.
func TestMakeWithoutUnit(t *testing.T) {
	got := Make(declared(), Host{Supervisor: "me"})
	if got.HostConfig.Runtime != "crun" || got.HostConfig.CgroupParent != "" || got.Config.Labels[LabelUnit] != "" {
		t.Errorf("Make() = %+v, want no runtime, parent and label of dockhost's", got)
	}
	if diff := cmp.Diff(declared().Config.Env, got.Config.Env); diff != "" {
		t.Errorf("Env (-want +got):\n%s", diff)
	}
}
