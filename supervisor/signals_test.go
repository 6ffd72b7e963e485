package supervisor

import (
	"context"
	"os"
	"slices"
	"syscall"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/engine/enginetest"
)

func TestSignalsList(t *testing.T) {
	for _, test := range []struct {
		onTerminal bool
		sig        syscall.Signal
		want       bool
	}{
		{false, syscall.SIGQUIT, true},
		{false, syscall.SIGHUP, true},
		{false, syscall.SIGABRT, true},
		{false, syscall.Signal(sigRTMin + 3), true},
		{false, syscall.Signal(sigRTMax), true},
		{false, syscall.SIGTTIN, true},
		{true, syscall.SIGTTIN, false},
		{false, syscall.SIGTERM, false},
		{false, syscall.SIGCHLD, false},
		{false, syscall.SIGURG, false},
		{false, syscall.Signal(33), false},
	} {
		if got := slices.Contains(Signals(test.onTerminal), os.Signal(test.sig)); got != test.want {
			t.Errorf("Signals(%v) has %v: %v, want %v", test.onTerminal, test.sig, got, test.want)
		}
	}
}

// Any signal is a request to stop while systemd stops the unit, in every phase.
func TestKillSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGABRT, syscall.Signal(sigRTMin + 3)} {
		for _, phase := range []string{"running", "waiting"} {
			t.Run(sig.String()+" while "+phase, func(t *testing.T) {
				r := newRig(t)
				r.units.activeState, r.units.subState = "deactivating", "stop-sigterm"
				if phase == "waiting" {
					r.server.Hang("/_ping")
				}
				l := r.start()
				l.until(phase, func() bool { return r.notify.count("READY") > 0 || r.server.Hangs() })
				r.signals <- sig
				<-l.done
				r.server.Continue()
				l.ends(0, "")
			})
		}
	}
}

// Signals that systemd did not send to stop the unit reach the container.
func TestSignalsAreForwarded(t *testing.T) {
	r := newRig(t)
	r.units.activeState = "active"
	r.spec.Run = newRun()
	r.spec.Run.ForwardSignals = true
	got := make(chan os.Signal, 8)
	r.program(func(ctx context.Context, p *enginetest.Process) int {
		for {
			select {
			case sig := <-p.Signals:
				if got <- sig; sig == syscall.SIGTERM {
					return 0
				}
			case <-ctx.Done():
				return 0
			}
		}
	})
	l := r.start()
	l.ready()
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGABRT, syscall.SIGTTIN, syscall.Signal(sigRTMin + 3)} {
		r.signals <- sig
		if first := <-got; first != sig {
			t.Errorf("the container got %v, want %v", first, sig)
		}
	}
	l.stop()
	l.ends(0, "")
}

// A unit of your own that was asked to stop has not failed when the container had to be
// killed.
func TestStopKillsOwnUnit(t *testing.T) {
	r := newRig(t)
	r.spec.Run = newRun()
	grace := 0
	r.spec.Config.StopTimeout = &grace
	r.command("-ignore-sigterm")
	core, logs := observer.New(zap.WarnLevel)
	r.log = zap.New(core)
	l := r.start()
	l.ready()
	l.stop()
	l.ends(0, "")
	if logs.FilterMessageSnippet("did not end on its stop signal and was killed").Len() != 1 {
		t.Errorf("log = %v, want that the container was killed", logs.All())
	}
}
