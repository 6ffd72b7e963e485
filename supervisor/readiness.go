package supervisor

import (
	"context"

	"github.com/dockhost/dockhost/spec"
)

// readiness is one way in which a container becomes ready, and in which it is
// known to be well from then on, where the unit has a watchdog.
type readiness interface {
	// socket is what the container is to speak to, "" for nothing.
	socket() string
	// watch looks after a container that was just started, until ctx ends. It
	// does not block.
	watch(ctx context.Context, id string, pid int)
	// health takes note of what Docker's health check has found.
	health(status string)
	// waitsFor says what a container that is not ready waits for.
	waitsFor() string
	// says is what the container says of itself; "" is nothing.
	says() string
	// reloading waits for a container that was told to reload, if it tells when
	// it has done so. begin is called before it is told, and returns the wait.
	reloading() (wait func(ctx context.Context))
	// close gives back what was taken for it.
	close()
}

// newReadiness returns the readiness of the notify mode. It is there before
// the container is made, and is closed when that is gone.
func (s *Supervisor) newReadiness() (readiness, error) {
	if probe, ok := s.spec.Notify.Probe(); ok {
		return &byProbe{s: s, probe: probe}, nil
	}
	if s.spec.Notify == spec.NotifyContainer {
		return s.listenToApp()
	}
	return &byHealth{s: s}, nil
}

// common is what most kinds of readiness need not do.
type common struct{}

func (common) socket() string                   { return "" }
func (common) health(string)                    {}
func (common) says() string                     { return "" }
func (common) reloading() func(context.Context) { return func(context.Context) {} }
func (common) close()                           {}

// call has the goroutine that follows the container do something: it alone
// changes the phase, the state and what is said of them.
func (s *Supervisor) call(ctx context.Context, do func()) {
	select {
	case s.calls <- do:
	case <-ctx.Done():
	}
}

// sayUnready tells what an unready container waits for.
func (s *Supervisor) sayUnready() {
	if s.life.phase == phaseUnready {
		s.Notify.Status(s.runningStatus())
	}
}

// sayStatus tells how a container fares that has something to say itself.
func (s *Supervisor) sayStatus() {
	switch s.life.phase {
	case phaseUnready, phaseRunning:
		s.Notify.Status(s.runningStatus())
	case phaseStopping:
		s.Notify.Status("stopping: " + s.readiness.says())
	case phaseWaiting, phasePulling, phaseCreating, phaseStarting, phaseEnded:
	}
}
