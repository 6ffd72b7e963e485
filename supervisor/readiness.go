package supervisor

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// readiness decides when a container is ready, and from then on whether it is
// well, where the unit has a watchdog. There is one kind for each notify mode.
type readiness interface {
	// socket is the path of the socket that the container sends to; "" for none.
	socket() string
	// watch observes a container that was just started, until ctx ends. It does
	// not block. It is called again after docker restart. What the former process
	// did, also what is reported late, then counts no more.
	watch(ctx context.Context, id string, first *process)
	// health takes a result of Docker's health check.
	health(status string)
	// waitsFor describes what a container that is not ready waits for.
	waitsFor() string
	// says is the status that the container reports about itself; "" for none.
	says() string
	// reloading is called before the container is asked to reload. The function
	// that it returns waits for the end of the reload, if the container reports it.
	reloading() (wait func(ctx context.Context))
	// close releases what the readiness holds.
	close()
}

// noHooks supplies no-op defaults for the optional methods of a readiness.
type noHooks struct{}

func (noHooks) socket() string                   { return "" }
func (noHooks) health(string)                    {}
func (noHooks) says() string                     { return "" }
func (noHooks) reloading() func(context.Context) { return func(context.Context) {} }
func (noHooks) close()                           {}

// readinessEngine is what a readiness calls on Docker Engine.
type readinessEngine interface {
	inspector
	eventSource
}

// surroundings is what each kind of readiness works with.
type surroundings struct {
	container *spec.Container
	engine    readinessEngine
	report    *reporter
	inbox     *inbox
	watchdog  *watchdog
	log       *zap.Logger
	// grace returns how long the container may take to end; negative without a limit.
	grace func(ctx context.Context) time.Duration
	// root is a prefix of the host's paths.
	root string
}

// newReadiness returns the readiness for the notify mode. It is created before
// the container, and closed after the container's end.
func newReadiness(with surroundings, dir rundir.Dir) (readiness, error) {
	if probe, ok := with.container.Notify.Probe(); ok {
		return &byProbe{with: with, probe: probe}, nil
	}
	if with.container.Notify == spec.NotifyContainer {
		return listenToApp(with, dir.RuntimeDir())
	}
	return &byHealth{with: with}, nil
}

// readyNow reports, on the goroutine that follows the container, that it is ready.
func (s surroundings) readyNow() { s.report.life.send(eventReady) }
