package update_test

import (
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/agent/update/fakehost"
	"github.com/dockhost/dockhost/spec"
)

// A newer image does not start a container that someone has stopped. It waits, also over
// a restart of the agent, until someone starts the container.
func TestStoppedContainerIsNotUpdated(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.host.Stop()
		r.set(func() { r.latest = newOne })
		time.Sleep(time.Hour)
		r.stop()
		r.start()
		time.Sleep(time.Hour)
		r.want(oldOne, update.OutcomeConfirmed)
		if view := r.machine.View(); view.State != string(update.PhaseWaiting) || view.Pending == nil {
			t.Errorf("the update is %s (%s), want it waiting", view.State, view.Why)
		}
		r.host.Start()
		r.machine.Wake()
		time.Sleep(10 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
	})
}

// A container that is stopped while it soaks is not judged before it runs again.
func TestStopInterruptsSoak(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.set(func() { r.behaviors[newOne] = bad()["exits"]; r.latest = newOne })
		for range 3600 {
			if _, runs := r.host.Running(); runs == newOne {
				break
			}
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second) // it fails after 20
		r.host.Stop()
		time.Sleep(time.Hour)
		if view := r.machine.View(); view.State != string(update.PhaseSoaking) {
			t.Errorf("the update of a stopped container is %s (%s), want soaking", view.State, view.Why)
		}
		if _, runs := r.host.Running(); runs != newOne {
			t.Errorf("%s is in force, want the image that was stopped", runs)
		}
		r.host.Start()
		r.machine.Wake()
		time.Sleep(10 * time.Minute)
		r.want(oldOne, update.OutcomeRolledBack)
	})
}

// A stop while an update is rolled back is shown, and is not why it was rolled back.
func TestStopInterruptsRollback(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.set(func() {
			r.behaviors[newOne], r.behaviors[oldOne] = bad()["exits"], fakehost.Behavior{Ready: time.Minute}
			r.latest = newOne
		})
		for range 3600 {
			if r.machine.View().State == string(update.PhaseRollingBack) {
				break
			}
			time.Sleep(time.Second)
		}
		time.Sleep(10 * time.Second)
		r.host.Stop()
		r.machine.Wake()
		time.Sleep(time.Hour)
		if view := r.machine.View(); !strings.HasPrefix(view.Why, "exited with 1; stopped;") {
			t.Errorf("the update is %s (%s), want why it is rolled back, and that it is stopped", view.State, view.Why)
		}
		r.host.Start()
		r.machine.Wake()
		time.Sleep(10 * time.Minute)
		r.want(oldOne, update.OutcomeRolledBack)
		if why := r.machine.View().Ended.Why; why != "exited with 1" {
			t.Errorf("rolled back because %q, want the failure", why)
		}
	})
}

// A changed assignment starts a container that someone has stopped.
func TestAssignmentReplacesStopped(t *testing.T) {
	inBubble(t, spec.Update{}, func(r *rig) {
		r.host.Stop()
		r.host.Declare(declared("b"))
		r.machine.Wake()
		time.Sleep(10 * time.Minute)
		r.want(oldOne, update.OutcomeConfirmed)
		if c, _ := r.host.Running(); c.Config.Hostname != "b" || r.host.Stopped() {
			t.Errorf("runs %+v, stopped: %v, want what is declared now", c, r.host.Stopped())
		}
	})
}
