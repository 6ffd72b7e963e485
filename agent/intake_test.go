package agent

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/cloudinit"
)

// User data that takes too long to read leaves the last known good in force, and the
// status says so. User data that is read in time follows once the other is done with.
func TestIntakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		h.userData("i-1", containers("web nginx:1"))
		a := h.agent()
		a.takeOver(t.Context()).wait()
		slow := make(chan struct{})
		a.fetcher.parser = func(ctx context.Context, data *cloudinit.UserData, o assignment.Options) (*assignment.Result, error) {
			<-slow
			return assignment.Parse(ctx, data, o)
		}
		h.userData("i-1", containers("db postgres:1"))
		for range 2 { // the second waits for the first, which never ends
			begun := time.Now()
			a.takeOver(t.Context()).wait()
			if took := time.Since(begun); took < intakeTime || took > intakeTime+time.Second {
				t.Errorf("the intake took %s, want %s", took, intakeTime)
			}
		}
		h.wantRunning(map[string]int{"web": 1})
		source := a.store.snapshot().source
		if !source.LastKnownGood || len(source.Problems) != 1 || !strings.Contains(source.Problems[0], errIntake.Error()) {
			t.Errorf("source = %+v, want the last known good in force, with the reason", source)
		}
		close(slow)
		a.takeOver(t.Context()).wait()
		h.wantRunning(map[string]int{"db": 1})
	})
}

// The time for what user data includes does not count.
func TestIntakeDoesNotCountFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, err := newIntake().read(t.Context(), func(ctx context.Context, watch *stopwatch) (*assignment.Result, error) {
			for range 3 {
				resume := watch.pause()
				time.Sleep(intakeTime)
				resume()
				time.Sleep(intakeTime / 4)
			}
			return nil, context.Cause(ctx)
		})
		if err != nil {
			t.Errorf("read() = %v, want no time counted for fetches", err)
		}
	})
}
