package webhook

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/agent/api"
)

// rig is a sender whose requests end as the test says.
type rig struct {
	*Sender
	target Target
	logs   *observer.ObservedLogs
	// made are the names and IDs of the requests, and answer is how each of them ends.
	made   []string
	answer func(try int) error
}

func newRig(t *testing.T) *rig {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	r := &rig{target: Target{URL: "https://hook.example.com"}, logs: logs, answer: func(int) error { return nil }}
	r.Sender = New(Options{Target: func() Target { return r.target }, Host: thisHost, Log: zap.New(core)})
	r.post = func(_ context.Context, _ Target, event Event) error {
		r.made = append(r.made, event.Name+" "+event.ID)
		return r.answer(len(r.made))
	}
	return r
}

// run runs the sender until the test ends.
func (r *rig) run(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

func named(name string) api.HistoryEntry {
	entry := outcome()
	entry.Name = name
	return entry
}

func TestSenderTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		began, ended := time.Now(), time.Time{}
		r.answer = func(try int) error {
			switch try {
			case 1:
				return failure{errors.New("no answer"), true, 0}
			case 2:
				return failure{errors.New("later"), true, 10 * time.Minute}
			case 3:
				ended = time.Now()
			}
			return nil
		}
		r.run(t)
		r.Send(named("web"))
		r.Send(named("db"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(r.made) != 4 || r.made[0] != r.made[1] || r.made[1] != r.made[2] || r.made[2] == r.made[3] {
			t.Errorf("requests = %q, want one for db after three for web with one ID", r.made)
		}
		if waited := ended.Sub(began); waited < 10*time.Minute || waited > 11*time.Minute {
			t.Errorf("the third try came after %s, want Retry-After and a moment", waited)
		}
		if r.logs.Len() != 0 {
			t.Errorf("log = %v, want nothing", r.logs.All())
		}
	})
}

func TestSenderGivesUp(t *testing.T) {
	for _, test := range []struct {
		passes bool
		tries  int
	}{{true, maxTries}, {false, 1}} {
		t.Run(fmt.Sprintf("passes=%t", test.passes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.answer = func(int) error { return failure{errors.New("no"), test.passes, 0} }
				r.run(t)
				r.Send(named("web"))
				time.Sleep(24 * time.Hour)
				synctest.Wait()
				if len(r.made) != test.tries || r.logs.Len() != 1 {
					t.Errorf("%d requests and the log %v, want %d and one line", len(r.made), r.logs.All(), test.tries)
				}
			})
		})
	}
}

// An update never waits for the webhook.
func TestSendNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		for i := range maxQueue + 2 { // it does not run
			r.Send(named(fmt.Sprint("c", i)))
		}
		if r.logs.Len() != 2 {
			t.Errorf("log = %v, want two lines", r.logs.All())
		}
		r.run(t)
		synctest.Wait()
		if len(r.made) != maxQueue {
			t.Errorf("%d requests, want %d", len(r.made), maxQueue)
		}
	})
}

// Without a receiver nothing waits, also when it is removed between two tries.
func TestSenderWithoutTarget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer = func(int) error {
			r.target = Target{}
			return failure{errors.New("no answer"), true, 0}
		}
		r.run(t)
		r.Send(named("web"))
		time.Sleep(time.Hour)
		synctest.Wait()
		r.Send(named("db"))
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(r.made) != 1 || len(r.queue) != 0 || r.logs.Len() != 0 {
			t.Errorf("requests = %q, %d wait, log = %v", r.made, len(r.queue), r.logs.All())
		}
	})
}

// The end of the agent interrupts a wait.
func TestSenderEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.answer = func(int) error { return failure{errors.New("no answer"), true, time.Minute} }
		ctx, cancel := context.WithCancel(t.Context())
		r.Send(named("web"))
		time.AfterFunc(10*time.Second, cancel)
		began := time.Now()
		r.Run(ctx)
		if ran := time.Since(began); ran != 10*time.Second || len(r.made) != 1 {
			t.Errorf("Run() ended after %s and %d requests", ran, len(r.made))
		}
	})
}
