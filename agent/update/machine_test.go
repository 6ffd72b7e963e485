package update_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/agent/update/fakehost"
	"github.com/dockhost/dockhost/spec"
	specupdate "github.com/dockhost/dockhost/spec/update"
)

const (
	tag    = "registry.example/web:stable"
	oldOne = "sha256:old"
	newOne = "sha256:new"
	third  = "sha256:third"
)

// rig is a host with a machine, in a bubble of synctest.
type rig struct {
	t       *testing.T
	host    *fakehost.Host
	files   update.Files
	machine *update.Machine
	stop    func()

	// mu guards the rest.
	mu        sync.Mutex
	latest    string
	shut      string
	behaviors map[string]fakehost.Behavior
	passed    []bool
	told      []api.HistoryEntry
}

func (r *rig) Latest(string) (latest string, err error) {
	r.set(func() { latest = r.latest })
	return latest, nil
}
func (r *rig) Pull(string) error { return nil }
func (r *rig) Gate() (shut string) {
	r.set(func() { shut = r.shut })
	return shut
}

func (r *rig) Passed(failed bool)               { r.set(func() { r.passed = append(r.passed, failed) }) }
func (r *rig) Replaced(*spec.Container, string) {}
func (r *rig) Told(entry api.HistoryEntry)      { r.set(func() { r.told = append(r.told, entry) }) }

func (r *rig) outcomes() (told []api.HistoryEntry) {
	r.set(func() { told = r.told })
	return told
}

func (r *rig) passes() (n int) {
	r.set(func() { n = len(r.passed) })
	return n
}

func (r *rig) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *rig) Behave(c *spec.Container, digest string) fakehost.Behavior {
	r.mu.Lock()
	defer r.mu.Unlock()
	if b, has := r.behaviors[c.Config.Hostname+digest]; has {
		return b
	}
	return fakehost.Behavior{Ready: time.Second}
}

// inBubble runs a test with a host whose container is confirmed.
func inBubble(t *testing.T, settings spec.Update, test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &rig{t: t, files: update.Files{Root: t.TempDir()}, latest: oldOne, behaviors: map[string]fakehost.Behavior{}}
		r.host = fakehost.New(declared(""), oldOne, specupdate.Defaults(&settings, nil), 0.5, r)
		r.start()
		defer func() { r.stop() }()
		time.Sleep(10 * time.Minute)
		r.want(oldOne, update.OutcomeConfirmed)
		test(r)
	})
}

// declared is a container whose configuration differs by its hostname.
func declared(hostname string) *spec.Container {
	return &spec.Container{Name: "web", Image: tag, Config: &container.Config{Hostname: hostname}, HostConfig: &container.HostConfig{}}
}

// start runs a new machine, as an agent that starts does.
func (r *rig) start() {
	r.machine = update.New("web", r.host, r.files, zap.NewNop())
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.machine.Run(ctx)
	}()
	r.stop = func() {
		cancel()
		<-done
	}
}

// want checks the image that runs, and the last outcome.
func (r *rig) want(digest string, outcome update.Phase) {
	r.t.Helper()
	ended := r.machine.View().Ended
	if _, runs := r.host.Running(); runs != digest || ended == nil || ended.Outcome != outcome {
		r.t.Fatalf("runs %s, last update ended %+v, want %s, %s", runs, ended, digest, outcome)
	}
}

func watched() spec.Update { return spec.Update{Policy: spec.UpdateRegistry} }

// bad are the behaviors of a container that is not well.
func bad() map[string]fakehost.Behavior {
	return map[string]fakehost.Behavior{
		"exits":           {Ready: time.Second, Fails: 20 * time.Second, Why: "exited with 1"},
		"never ready":     {Ready: -1, Fails: 90 * time.Second, Why: "not ready in time"},
		"unhealthy":       {Ready: time.Second, Unhealthy: 30 * time.Second},
		"loses a child":   {Ready: time.Second, LosesChild: 30 * time.Second},
		"out of memory":   {Ready: time.Second, Fails: 5 * time.Second, Why: "killed: out of memory"},
		"exits at once":   {Ready: -1, Fails: time.Millisecond, Why: "exited with 127"},
		"exits when well": {Ready: time.Second, Fails: 59 * time.Second, Why: "exited with 1"},
	}
}

func TestUpdate(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.set(func() { r.latest = newOne })
		time.Sleep(10 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
		next := declared("b")
		r.host.Declare(next)
		r.machine.Wake()
		time.Sleep(2 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
		if c, _ := r.host.Running(); c.Unpinned().Hash() != next.Hash() {
			t.Errorf("runs %+v, want what was declared", c)
		}
	})
}

// A bad update comes back, stays in quarantine over a reboot, and the next image is tried.
func TestBadUpdate(t *testing.T) {
	for name, behavior := range bad() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, watched(), func(r *rig) {
				r.set(func() { r.behaviors[newOne] = behavior })
				r.set(func() { r.latest = newOne })
				time.Sleep(10 * time.Minute)
				r.want(oldOne, update.OutcomeRolledBack)
				r.stop()
				r.host.Reboot()
				r.start()
				time.Sleep(time.Hour)
				r.want(oldOne, update.OutcomeRolledBack)
				if n := len(r.outcomes()); n != 2 {
					t.Errorf("%d outcomes, want 2: the first start, and the rollback", n)
				}
				r.set(func() { r.latest = third })
				time.Sleep(10 * time.Minute)
				r.want(third, update.OutcomeConfirmed)
			})
		})
	}
}

func TestBadAssignment(t *testing.T) {
	inBubble(t, spec.Update{}, func(r *rig) {
		r.set(func() { r.behaviors["b"+oldOne] = bad()["exits"] })
		r.host.Declare(declared("b"))
		r.machine.Wake()
		time.Sleep(time.Hour)
		r.want(oldOne, update.OutcomeRolledBack)
		if n := len(r.outcomes()); n != 2 {
			t.Errorf("%d outcomes, want 2", n)
		}
		delete(r.behaviors, "b"+oldOne)
		if err := r.machine.Ask(update.Request{UpdateRequest: api.UpdateRequest{Force: true}, At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		r.want(oldOne, update.OutcomeConfirmed)
		if c, _ := r.host.Running(); c.Config.Hostname != "b" {
			t.Error("--force did not put the declaration in force")
		}
	})
}

// Whoever declares what runs again, after a rollback, has acted on it.
func TestBadAssignmentIsTakenBack(t *testing.T) {
	inBubble(t, spec.Update{}, func(r *rig) {
		r.set(func() { r.behaviors["b"+oldOne] = exits })
		r.host.Declare(declared("b"))
		r.machine.Wake()
		time.Sleep(10 * time.Minute)
		r.want(oldOne, update.OutcomeRolledBack)
		r.host.Declare(nil)
		r.machine.Wake()
		time.Sleep(time.Minute)
		if view := r.machine.View(); view.State != "" || view.Pending != nil || len(view.Quarantined) != 1 {
			t.Errorf("view = %+v, want one on which nobody has to act", view.Update)
		}
		if c, _ := r.host.Running(); c.Config.Hostname != "" {
			t.Errorf("runs configuration %q, want the confirmed one", c.Config.Hostname)
		}
	})
}

// A slot is held while the tag names the image that failed.
func TestSlotStaysHeld(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.set(func() { r.behaviors[newOne] = bad()["exits"] })
		r.set(func() { r.latest = newOne })
		time.Sleep(time.Hour)
		n := r.passes()
		if n < 5 {
			t.Errorf("the hold was extended %d times in an hour, want each check", n)
		}
		r.set(func() { r.latest = oldOne })
		time.Sleep(time.Hour)
		if r.passes() > n+1 {
			t.Error("the hold is extended although the tag has moved back")
		}
	})
}

func TestWarinessEnds(t *testing.T) {
	settings := watched()
	settings.Wariness = new(1.0)
	inBubble(t, settings, func(r *rig) {
		r.set(func() { r.latest = newOne })
		time.Sleep(20 * time.Minute)
		r.want(oldOne, update.OutcomeConfirmed)
		time.Sleep(30 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
	})
}

// A tag that moves back while its image waits is not followed.
func TestTagMovesBack(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.set(func() { r.latest, r.shut = newOne, "no free slot" })
		time.Sleep(8 * time.Minute)
		r.set(func() { r.latest = oldOne })
		time.Sleep(time.Minute)
		r.set(func() { r.shut = "" })
		time.Sleep(20 * time.Minute)
		r.want(oldOne, update.OutcomeConfirmed)
		if n := len(r.outcomes()); n != 1 {
			t.Errorf("%d outcomes, want 1: the image was not to be tried", n)
		}
	})
}

// A person's update of a tag that is not watched waits for its turn.
func TestAskedUpdateWaits(t *testing.T) {
	inBubble(t, spec.Update{}, func(r *rig) {
		r.set(func() { r.latest, r.shut = newOne, "busy" })
		if err := r.machine.Ask(update.Request{At: time.Now()}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Minute)
		if got := r.machine.View().State; got != api.StateWaiting {
			t.Fatalf("state %q, want %q", got, api.StateWaiting)
		}
		r.set(func() { r.shut = "" })
		time.Sleep(10 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
		if phases := r.outcomes()[1].Phases; len(phases) > 6 {
			t.Errorf("phases %v, want each once", phases)
		}
	})
}

func TestHold(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		until := time.Now().Add(30 * time.Minute)
		if err := r.machine.Hold("root", &until); err != nil {
			t.Fatal(err)
		}
		r.set(func() { r.latest = newOne })
		time.Sleep(29 * time.Minute)
		r.want(oldOne, update.OutcomeConfirmed)
		time.Sleep(3 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
		if err := r.machine.Hold("root", nil); err != nil {
			t.Fatal(err)
		}
		r.set(func() { r.latest = third })
		time.Sleep(time.Hour)
		r.want(newOne, update.OutcomeConfirmed)
		if err := r.machine.Unhold(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Minute)
		r.want(third, update.OutcomeConfirmed)
	})
}
