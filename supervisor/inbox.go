package supervisor

import (
	"context"
	"os"
	"time"
)

// inbox is how other goroutines reach the one that follows the container. That
// one alone changes the phase, the state and the status.
type inbox struct {
	// calls are functions to call on that goroutine.
	calls chan func()
	// signals are those of [Signals] that ask for no stop.
	signals <-chan os.Signal
	// stop is closed when systemd asks for a stop.
	stop <-chan struct{}
	// mustEnd is why the container must be stopped and the unit must fail, so that
	// systemd starts it again; nil while it may continue.
	mustEnd error
}

// do has a function called on the goroutine that follows the container. It
// returns when that goroutine has taken the function, or when ctx ends.
func (i *inbox) do(ctx context.Context, call func()) {
	select {
	case i.calls <- call:
	case <-ctx.Done():
	}
}

// endContainer asks for the end of a container that must not continue. It is
// called by a function given to [inbox.do].
func (i *inbox) endContainer(why error) { i.mustEnd = why }

// stopRequested says whether systemd has asked for a stop.
func (i *inbox) stopRequested() bool {
	select {
	case <-i.stop:
		return true
	default:
		return false
	}
}

// dropSignals discards the signals that came before the container was ready.
func (i *inbox) dropSignals() {
	for len(i.signals) > 0 {
		<-i.signals
	}
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
