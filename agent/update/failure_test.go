package update_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/agent/update/fakehost"
	"github.com/dockhost/dockhost/spec"
	specupdate "github.com/dockhost/dockhost/spec/update"
)

// exits is a container that ends soon after it is ready.
var exits = fakehost.Behavior{Ready: time.Second, Fails: 10 * time.Second, Why: "exited with 1"}

// With the failure actions pause and continue, what failed stays; after pause, no newer
// image is tried until a person allows it.
func TestFailureAction(t *testing.T) {
	for action, next := range map[spec.FailureAction]string{spec.FailurePause: newOne, spec.FailureContinue: third} {
		t.Run(string(action), func(t *testing.T) {
			settings := watched()
			settings.FailureAction = action
			inBubble(t, settings, func(r *rig) {
				r.set(func() { r.behaviors[newOne] = exits })
				r.set(func() { r.latest = newOne })
				time.Sleep(10 * time.Minute)
				r.want(newOne, update.OutcomeFailed)
				r.set(func() { r.latest = third })
				time.Sleep(20 * time.Minute)
				if _, runs := r.host.Running(); runs != next {
					t.Fatalf("runs %s, want %s", runs, next)
				}
				if err := r.machine.Unhold(); err != nil {
					t.Fatal(err)
				}
				time.Sleep(20 * time.Minute)
				r.want(third, update.OutcomeConfirmed)
			})
		})
	}
}

// After so many failures in a row, newer images wait for a person.
func TestPauseAfter(t *testing.T) {
	settings := watched()
	settings.PauseAfter = 2
	inBubble(t, settings, func(r *rig) {
		for _, bad := range []string{newOne, third} {
			r.set(func() { r.behaviors[bad] = exits })
			r.set(func() { r.latest = bad })
			time.Sleep(20 * time.Minute)
			r.want(oldOne, update.OutcomeRolledBack)
		}
		r.set(func() { r.latest = "sha256:good" })
		time.Sleep(time.Hour)
		r.want(oldOne, update.OutcomeRolledBack)
		if view := r.machine.View(); view.Paused == "" {
			t.Error("the view does not say that updates are paused")
		}
		if err := r.machine.Unhold(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Minute)
		r.want("sha256:good", update.OutcomeConfirmed)
	})
}

// An update that another one replaces before its outcome is superseded, and the revision
// to go back to is still the confirmed one.
func TestSupersededGoesBackToConfirmed(t *testing.T) {
	inBubble(t, spec.Update{}, func(r *rig) {
		r.host.Declare(declared("b"))
		r.machine.Wake()
		time.Sleep(30 * time.Second)
		r.set(func() { r.behaviors["c"+oldOne] = exits })
		r.host.Declare(declared("c"))
		r.machine.Wake()
		time.Sleep(10 * time.Minute)
		r.want(oldOne, update.OutcomeRolledBack)
		if c, _ := r.host.Running(); c.Config.Hostname != "" {
			t.Errorf("runs configuration %q, want the confirmed one", c.Config.Hostname)
		}
	})
}

// A container that is ready, if not yet for its whole soak, is what a bad update goes back
// to. One that never was is not.
func TestFirstStart(t *testing.T) {
	for name, test := range map[string]struct {
		first fakehost.Behavior
		want  string
	}{
		"ready":       {fakehost.Behavior{Ready: time.Second}, ""},
		"never ready": {fakehost.Behavior{Ready: -1, Fails: 90 * time.Second, Why: "not ready in time"}, "b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := &rig{t: t, files: update.Files{Root: t.TempDir()}, latest: oldOne}
				r.behaviors = map[string]fakehost.Behavior{oldOne: test.first, "b" + oldOne: exits}
				r.host = fakehost.New(declared(""), oldOne, specupdate.Defaults(nil, nil), 0.5, r)
				r.start()
				defer func() { r.stop() }()
				time.Sleep(30 * time.Second)
				r.host.Declare(declared("b"))
				r.machine.Wake()
				time.Sleep(20 * time.Minute)
				if c, _ := r.host.Running(); c.Config.Hostname != test.want {
					t.Errorf("runs configuration %q, want %q: %+v", c.Config.Hostname, test.want, r.machine.View())
				}
			})
		})
	}
}

// An update waits for its window.
func TestWindow(t *testing.T) {
	settings := watched()
	settings.Windows = []string{"04:00 +1h UTC"} // the bubble begins at midnight, UTC
	inBubble(t, settings, func(r *rig) {
		r.set(func() { r.latest = newOne })
		time.Sleep(3 * time.Hour)
		r.want(oldOne, update.OutcomeConfirmed)
		if view := r.machine.View(); view.State != string(update.PhaseWaiting) {
			t.Errorf("view = %+v, want one that waits", view.Update)
		}
		time.Sleep(90 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
	})
}

// The registry is due while the old container takes its time to return: the machine
// waits for that, and asks afterwards.
func TestReturnOutlastsCheck(t *testing.T) {
	settings := watched()
	settings.Check = time.Minute
	inBubble(t, settings, func(r *rig) {
		r.set(func() { r.behaviors[newOne] = exits })
		r.set(func() { r.behaviors[oldOne] = fakehost.Behavior{Ready: time.Hour} })
		r.set(func() { r.latest = newOne })
		time.Sleep(20 * time.Minute)
		r.want(oldOne, update.OutcomeRolledBack)
	})
}

// A person who asks for an update while it soaks learns how that ends.
func TestRequestJoinsUpdate(t *testing.T) {
	inBubble(t, spec.Update{}, func(r *rig) {
		r.set(func() { r.latest = newOne })
		for range 2 {
			if err := r.machine.Ask(update.Request{At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Second)
		}
		if view := r.machine.View(); !view.Busy || view.Answer.Outcome != "" {
			t.Errorf("view = %+v, want an update that soaks, and no answer", view)
		}
		time.Sleep(5 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
	})
}

// A new container that is not well beside the old one is quarantined. One that cannot run
// there is not to blame: it is tried again.
func TestStartFirst(t *testing.T) {
	settings := watched()
	settings.Order = spec.StartFirst
	inBubble(t, settings, func(r *rig) {
		r.set(func() { r.behaviors[newOne] = fakehost.Behavior{Ready: -1, Fails: time.Second, Why: "exited with 1"} })
		r.set(func() { r.latest = newOne })
		time.Sleep(20 * time.Minute)
		r.want(oldOne, update.OutcomeRolledBack)
		r.host.FailBeside(errors.New("both would write to the volume at /data"))
		r.set(func() { r.latest = third })
		time.Sleep(20 * time.Minute)
		if view := r.machine.View(); view.State != string(update.OutcomeRefused) || view.Why == "" || len(view.Quarantined) != 1 {
			t.Errorf("view = %+v, want a refusal, and only the first image in quarantine", view.Update)
		}
		if _, runs := r.host.Running(); runs != oldOne {
			t.Errorf("runs %s, want the old image", runs)
		}
		r.host.FailBeside(nil)
		time.Sleep(20 * time.Minute)
		r.want(third, update.OutcomeConfirmed)
	})
}
