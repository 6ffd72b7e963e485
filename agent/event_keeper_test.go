package agent

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/events"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// Each state of a container tells its events once, to the next agent too.
func TestEventsOfStates(t *testing.T) {
	root := t.TempDir()
	dir := rundir.Dir(filepath.Join(root, "run"))
	if err := dir.WriteContainer(&spec.Container{Name: "web"}); err != nil {
		t.Fatal(err)
	}
	kept := events.New(filepath.Join(root, "events.jsonl"), zap.NewNop())
	keeper := newEventKeeper(dir, kept)
	told := func() string {
		var all []string
		for _, e := range kept.Since(time.Time{}) {
			all = append(all, strings.TrimSpace(e.Event+" "+e.Text))
		}
		return strings.Join(all, "; ")
	}
	var state rundir.State
	enter := func(phase string) { state.Enter(phase, time.Now()) }
	steps := []struct {
		name   string
		change func()
		want   string
	}{
		{"no state", nil, ""},
		{"it pulls", func() { enter("pulling"); state.Image = "shop:1" }, ""},
		{"the pull fails", func() { state.LastError = &rundir.Failure{At: time.Now(), Message: "denied"} }, "problem denied"},
		{"it waits", func() { state.NextTry = time.Now() }, ""},
		{"it is pulled", func() { state.Pull = &rundir.Pull{Ended: time.Second, Bytes: 2e6, At: time.Now()}; enter("creating") }, "pull-done shop:1, 2MB in 1.0 s"},
		{"it is ready", func() { state.LastError, state.Ready = nil, true; enter("running") }, "ready shop:1"},
		{"its check fails", func() { state.Health = "unhealthy" }, "unhealthy"},
		{"it recovers", func() { state.Health = "healthy" }, "healthy"},
		{"it fails", func() {
			enter("ended")
			state.Ready, state.LastError = false, &rundir.Failure{At: time.Now(), Message: "exit code 1"}
		}, "failed exit code 1"},
		{"it is stopped", func() { state = rundir.State{}; enter("stopping"); enter("ended") }, "stopped"},
		{"it ends", func() { state = rundir.State{}; enter("running"); enter("ended") }, "exited"},
	}
	want := ""
	for _, step := range steps {
		if step.change != nil {
			step.change()
			if err := dir.WriteState("web", state); err != nil {
				t.Fatal(err)
			}
		}
		keeper.read()
		keeper.read()
		if step.want != "" {
			want = strings.TrimPrefix(want+"; "+step.want, "; ")
		}
		if got := told(); got != want {
			t.Fatalf("%s: events = %q, want %q", step.name, got, want)
		}
		keeper = newEventKeeper(dir, kept) // the agent is restarted
		for _, e := range kept.Since(time.Time{}) {
			keeper.note(e)
		}
	}
}

// An update that has ended is an event; a first start is not.
func TestUpdateEvent(t *testing.T) {
	ended := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	entry := api.HistoryEntry{
		Name: "web", Ended: ended, Cause: api.CauseUpdate, By: "root", Outcome: "confirmed",
		From: &api.Revision{Image: "shop:1", Digest: "sha256:1111111111111111"}, To: api.Revision{Image: "shop:2"},
	}
	want := api.Event{
		At: ended, Event: "update-confirmed", Container: "web", By: "dockhostctl update by root",
		From: "shop:1@111111111111", To: "shop:2", Outcome: "confirmed",
	}
	if got, ok := updateEvent(entry); got != want || !ok || !got.IsChange() {
		t.Errorf("updateEvent() = %+v, %t, want %+v", got, ok, want)
	}
	entry.Cause = api.CauseStart
	if got, ok := updateEvent(entry); ok {
		t.Errorf("updateEvent() of a first start = %+v", got)
	}
}
