package agent

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dockhost/dockhost/assignment"
)

// intakeTime bounds the work for user data: to unpack, merge, render, parse and judge it.
// What it includes is fetched under limits of its own.
const intakeTime = 10 * time.Second

// errIntake says that user data takes too long to read.
var errIntake = fmt.Errorf("the user data takes more than %s to read: make it smaller, and its templates, anchors and patches simpler (try it with: dockhostctl validate)", intakeTime)

// intake reads user data within a time. What takes longer is abandoned; nothing more is
// read before it has ended.
type intake struct {
	// busy is full while something is read.
	busy chan struct{}
}

func newIntake() *intake { return &intake{busy: make(chan struct{}, 1)} }

// work is one reading of user data. watch has how long it may still take.
type work func(ctx context.Context, watch *stopwatch) (*assignment.Result, error)

// read carries out work, for intakeTime at most. The wait for abandoned work counts.
func (i *intake) read(ctx context.Context, work work) (*assignment.Result, error) {
	type outcome struct {
		result *assignment.Result
		err    error
	}
	limited, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := newStopwatch(intakeTime, func() { cancel(errIntake) })
	defer watch.stop()
	select {
	case i.busy <- struct{}{}:
	case <-limited.Done(): // what was abandoned has not ended
		return nil, context.Cause(limited)
	}
	done := make(chan outcome, 1)
	go func() {
		defer func() { <-i.busy }()
		result, err := work(limited, watch)
		done <- outcome{result, err}
	}()
	select {
	case o := <-done:
		return o.result, o.err
	case <-limited.Done():
		return nil, context.Cause(limited)
	}
}

// stopwatch calls a function when a time is over that can be paused.
type stopwatch struct {
	mu    sync.Mutex
	timer *time.Timer
	left  time.Duration
	since time.Time
}

func newStopwatch(limit time.Duration, over func()) *stopwatch {
	return &stopwatch{timer: time.AfterFunc(limit, over), left: limit, since: time.Now()}
}

// pause stops the time until resume is called.
func (w *stopwatch) pause() (resume func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.timer.Stop() {
		return func() {}
	}
	w.left -= time.Since(w.since)
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.since = time.Now()
		w.timer.Reset(w.left)
	}
}

func (w *stopwatch) stop() { w.timer.Stop() }
