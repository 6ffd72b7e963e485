package agent

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// An error stays while a successor is prepared again, and each step is announced.
func TestPending(t *testing.T) {
	s := newStore(storeFile{root: t.TempDir()})
	web := &spec.Container{Name: "web", Image: "nginx:2"}
	steps := []struct {
		name string
		step func()
		want map[string]api.Pending
	}{
		{"begun", func() { s.begin(api.Source{}, plan{successors: []hashed{{Container: web}}}) }, map[string]api.Pending{"web": {Image: "nginx:2", Doing: "waiting"}}},
		{"failed", func() { s.showPending("web", &api.Pending{Image: "nginx:2", Doing: "trying again", Error: "no image"}) }, map[string]api.Pending{"web": {Image: "nginx:2", Doing: "trying again", Error: "no image"}}},
		{"declared again", func() { s.setDeclared(&accepted{}, web) }, map[string]api.Pending{"web": {Image: "nginx:2", Doing: "waiting"}}},
		{"in force", func() { s.setAccepted(&accepted{}, "web") }, map[string]api.Pending{}},
	}
	for _, step := range steps {
		changed := s.nextChange()
		step.step()
		select {
		case <-changed:
		default:
			t.Errorf("%s: not announced", step.name)
		}
		if diff := cmp.Diff(step.want, s.snapshot().pending); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
	}
}

// A change of a draft, and of a snapshot, does not change what is stored.
func TestStoreIsNotShared(t *testing.T) {
	s := newStore(storeFile{root: t.TempDir()})
	stored := &accepted{Assignment: spec.Assignment{Containers: []spec.Container{{Name: "web", Image: "nginx:1"}}}}
	s.setAccepted(stored, "web")
	s.addProblem(errors.New("a\nb"))
	draft := s.withSuccessor(&spec.Container{Name: "web", Image: "nginx:2"})
	if got := draft.container("web").Image; got != "nginx:2" {
		t.Errorf("the draft has %s, want nginx:2", got)
	}
	s.snapshot().source.Problems[0] = "changed"
	s.snapshot().pending["web"] = api.Pending{}
	after := s.snapshot()
	if after.accepted.container("web").Image != "nginx:1" || len(after.pending) > 0 || !cmp.Equal(after.source.Problems, []string{"a", "b"}) {
		t.Errorf("the store has %+v", after)
	}
}
