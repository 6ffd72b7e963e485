package agent

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
)

func phase(name string, seconds float64) rundir.PhaseStart {
	return rundir.PhaseStart{Phase: name, Uptime: time.Duration(seconds * float64(time.Second))}
}

func TestStart(t *testing.T) {
	pull := &rundir.Pull{Began: 13 * time.Second, LoggedIn: 14 * time.Second, Ended: 16 * time.Second, Bytes: 7}
	first := []rundir.PhaseStart{phase("waiting", 10), phase("pulling", 11), phase("creating", 16)}
	tests := []struct {
		name  string
		state rundir.State
		want  api.Start
	}{
		{"that waits", rundir.State{Phases: first[:1]}, api.Start{Phases: []api.Phase{{Name: "docker", At: 9, Seconds: 10}}, Seconds: 10}},
		{
			"that has the image", rundir.State{Phases: first}, api.Start{Phases: []api.Phase{
				{Name: "docker", At: 9, Seconds: 1}, {Name: "image", At: 10, Seconds: 5}, {Name: "create", At: 15, Seconds: 4},
			}, Seconds: 10},
		},
		{
			"with failed pulls", rundir.State{Phases: first, Pull: pull}, api.Start{Phases: []api.Phase{
				{Name: "docker", At: 9, Seconds: 1},
				{Name: "failed pulls", At: 10, Seconds: 2},
				{Name: "login", At: 12, Seconds: 1},
				{Name: "pull", At: 13, Seconds: 2},
				{Name: "create", At: 15, Seconds: 4},
			}, Seconds: 10, PulledBytes: 7},
		},
		{
			"that is ready, and stops", rundir.State{Phases: []rundir.PhaseStart{
				phase("starting", 10), phase("unready", 12), phase("running", 15), phase("stopping", 18), phase("ended", 19),
			}}, api.Start{Phases: []api.Phase{{Name: "start", At: 9, Seconds: 2}, {Name: "ready", At: 11, Seconds: 3}}, Seconds: 5, Ready: true},
		},
		{
			"whose login is awaited", rundir.State{Phases: first[:2], Pull: &rundir.Pull{Began: 11 * time.Second}}, api.Start{Phases: []api.Phase{
				{Name: "docker", At: 9, Seconds: 1}, {Name: "login", At: 10, Seconds: 9},
			}, Seconds: 10},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, start("", test.state, time.Second, 20*time.Second)); diff != "" {
				t.Errorf("start() (-want +got):\n%s", diff)
			}
		})
	}
}

// The next agent of the boot finds its phases, and records none again.
func TestBootPhases(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	origin := func() time.Duration { return time.Second }
	first := newBoot(dir, origin, nil)
	first.began = 3 * time.Second
	first.end(phaseUserData, "NoCloud")
	next := newBoot(dir, origin, nil)
	next.end(phaseUserData, "EC2")
	got := next.Phases()
	want := []api.Phase{{Name: "systemd", Seconds: 2}, {Name: "user data", At: 2, Detail: "NoCloud"}}
	if len(got) != 2 {
		t.Fatalf("Phases() = %+v", got)
	}
	got[1].Seconds = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Phases() (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]api.Phase{}, newBoot(rundir.Dir(t.TempDir()), nil, nil).Phases()); diff != "" {
		t.Errorf("Phases() before any has ended (-want +got):\n%s", diff)
	}
}
