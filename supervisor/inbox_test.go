package supervisor

import (
	"context"
	"os"
	"syscall"
	"testing"
)

// A call waits for the event loop, or until its own context ends.
func TestInboxDo(t *testing.T) {
	in := inbox{calls: make(chan func())}
	done := make(chan struct{})
	called := false
	go func() {
		defer close(done)
		(<-in.calls)()
	}()
	in.do(t.Context(), func() { called = true })
	<-done
	if !called {
		t.Error("the function was not called")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	in.do(ended, func() { t.Error("a function was called without an event loop") })
}

func TestInboxDropSignals(t *testing.T) {
	signals := make(chan os.Signal, 2)
	signals <- syscall.SIGHUP
	signals <- syscall.SIGUSR1
	in := inbox{signals: signals}
	in.dropSignals()
	if len(signals) != 0 {
		t.Errorf("%d signals are left, want none", len(signals))
	}
}

func TestInboxStopRequested(t *testing.T) {
	stop := make(chan struct{})
	in := inbox{stop: stop}
	if in.stopRequested() {
		t.Error("stopRequested() = true before the request")
	}
	close(stop)
	if !in.stopRequested() {
		t.Error("stopRequested() = false after the request")
	}
}
