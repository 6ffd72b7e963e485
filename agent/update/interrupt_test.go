package update_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/spec"
	specupdate "github.com/dockhost/dockhost/spec/update"
)

// An agent that is killed, or stopped, at any call of an update ends it after its next
// start: with the new image if that is good, otherwise with the old one.
func TestInterrupted(t *testing.T) {
	for _, killed := range []bool{true, false} {
		for _, good := range []bool{true, false} {
			for at, more := 1, true; more; at++ {
				inBubble(t, watched(), func(r *rig) { more = r.interrupt(at, killed, good) })
				if at > 200 {
					t.Fatal("the update makes more than 200 calls")
				}
			}
		}
	}
}

// interrupt ends the machine at a call, and returns whether there was such a call.
func (r *rig) interrupt(at int, killed, good bool) bool {
	want, outcome := newOne, update.OutcomeConfirmed
	if !good {
		r.set(func() { r.behaviors[newOne] = bad()["exits"] })
		want, outcome = oldOne, update.OutcomeRolledBack
	}
	calls, ended, where := 0, false, ""
	cancel := r.stop
	hook := func(call string) {
		isIt := false
		r.set(func() {
			calls++
			if isIt = calls == at && !ended; isIt {
				ended, where = true, call
			}
		})
		switch {
		case !isIt:
			return
		case killed:
			runtime.Goexit()
		}
		go cancel()
		synctest.Wait()
	}
	r.host.Hook.Store(&hook)
	r.set(func() { r.latest = newOne })
	time.Sleep(10 * time.Minute)
	r.host.Hook.Store(nil)
	happened := false
	r.set(func() { happened = ended })
	if !happened {
		return false
	}
	r.stop()
	r.start()
	time.Sleep(20 * time.Minute)
	if _, runs := r.host.Running(); runs != want || r.machine.View().Ended.Outcome != outcome {
		r.t.Errorf("killed %v at call %d (%s): runs %s, ended %+v, want %s, %s", killed, at, where, runs, r.machine.View().Ended, want, outcome)
	}
	if good {
		r.wantKept("after call " + where)
	}
	return where != "Tell"
}

// wantKept checks that the update to the new image can be undone: the old one is kept, and
// is known.
func (r *rig) wantKept(when string) {
	r.t.Helper()
	record, err := r.files.Load("web")
	if err != nil {
		r.t.Fatal(err)
	}
	got := []string{r.host.Kept("previous"), r.host.Kept("current"), record.Confirmed.ImageID, record.Confirmed.Ref}
	want := []string{"id-" + oldOne, "id-" + newOne, "id-" + newOne, update.WithDigest(tag, newOne)}
	if p := record.Previous; p == nil || p.ImageID != "id-"+oldOne || p.Ref == "" || !slices.Equal(got, want) {
		r.t.Errorf("%s: kept and confirmed are %q, previous is %+v, want %q, and the image before", when, got, p, want)
	}
}

// An update ends the same way if Docker once cannot say which image runs.
func TestImageUnknownForOnce(t *testing.T) {
	next := declared("")
	next.Image = "registry.example/web:next"
	for name, begin := range map[string]func(*rig){
		"assignment": func(r *rig) { r.host.Declare(next) },
		"registry":   func(r *rig) { r.host.Set(specupdate.Defaults(new(watched()), nil)) },
	} {
		for at, more := 1, true; more; at++ {
			inBubble(t, spec.Update{}, func(r *rig) {
				var calls atomic.Int64
				hook := func(call string) {
					if call == "Image" && calls.Add(1) == int64(at) {
						r.host.FailImage(errors.New("Docker Engine does not answer"))
					}
				}
				r.host.Hook.Store(&hook)
				r.set(func() { r.latest = newOne })
				begin(r)
				r.machine.Wake()
				time.Sleep(20 * time.Minute)
				r.want(newOne, update.OutcomeConfirmed)
				r.wantKept(fmt.Sprint(name, ", failed call ", at))
				more = calls.Load() >= int64(at)
			})
		}
	}
}

// A rollback that a person asks for is refused while it is not known what runs, and works
// once that is known.
func TestRollbackFromUnknownImage(t *testing.T) {
	inBubble(t, watched(), func(r *rig) {
		r.set(func() { r.latest = newOne })
		time.Sleep(10 * time.Minute)
		r.want(newOne, update.OutcomeConfirmed)
		const why = "Docker Engine does not answer"
		r.host.FailImage(errors.New(why))
		back := func() {
			if err := r.machine.Ask(update.Request{Rollback: true, At: time.Now()}); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		back()
		r.want(newOne, update.OutcomeConfirmed)
		if answer := r.machine.View().Answer; answer.Outcome != update.OutcomeRefused || answer.Why != why {
			t.Errorf("answer = %+v, want it refused: %s", answer, why)
		}
		back()
		r.want(oldOne, update.OutcomeConfirmed)
	})
}
