package agent

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/systemd"
)

// A unit whose supervisor has read another declaration is restarted, once.
func TestVerify(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	dir := rundir.Dir(filepath.Join(h.root, rundir.Path))
	verify := func(wantStarts int, why string) {
		t.Helper()
		if err := a.verifier.verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := h.units.running()["web"]; got != wantStarts {
			t.Errorf("%s: %d starts, want %d", why, got, wantStarts)
		}
	}
	write := func(hash string) {
		t.Helper()
		if err := dir.WriteState("web", rundir.State{Phase: "running", Ready: true, ConfigHash: hash, Image: "nginx:0"}); err != nil {
			t.Fatal(err)
		}
	}
	verify(1, "current")
	write("older")
	verify(2, "outdated")
	verify(2, "current again")
	write("older")
	verify(3, "outdated again")
	write("older")
	verify(3, "a restart did not help")
}

// A unit that is stopping, or was asked to, runs what is assigned afterwards.
func TestRuns(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	before, after := rundir.State{Since: at.Add(-time.Second)}, rundir.State{Since: at.Add(time.Second)}
	tests := []struct {
		name  string
		unit  systemd.Unit
		state rundir.State
		want  bool
	}{
		{"active", systemd.Unit{ActiveState: "active", Since: at}, before, true},
		{"active, to be restarted", systemd.Unit{ActiveState: "active", Since: at, Job: true}, before, false},
		{"starts, and has written its state", systemd.Unit{ActiveState: "activating", SubState: "start", Since: at, Job: true}, after, true},
		{"starts, and has not", systemd.Unit{ActiveState: "activating", SubState: "start", Since: at, Job: true}, before, false},
		{"waits for a restart", systemd.Unit{ActiveState: "activating", SubState: "auto-restart", Since: at}, after, false},
		{"stops", systemd.Unit{ActiveState: "deactivating", Since: at}, after, false},
		{"is stopped", systemd.Unit{ActiveState: "inactive", Since: at}, after, false},
	}
	for _, test := range tests {
		if got := runs(test.unit, test.state); got != test.want {
			t.Errorf("runs(%s) = %v, want %v", test.name, got, test.want)
		}
	}
}
