package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

const (
	// defaultGrace is Docker's own time between the stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// stopMargin is the part of the unit's stop timeout that is kept for the
	// removal of the container.
	stopMargin = 2 * time.Second
	exitKilled = 128 + 9
)

// stopEngine stops containers.
type stopEngine interface {
	hookEngine
	Stop(ctx context.Context, id string, grace time.Duration) error
}

// stopper knows how long a container may take to stop.
type stopper struct {
	engine    stopEngine
	container *spec.Container
	unit      *unit
	log       *zap.Logger
	// requested is when the stop was requested; nil before.
	requested atomic.Pointer[time.Time]
}

// request notes the time of the request. The time before the container can be
// stopped counts as part of the unit's stop timeout.
func (s *stopper) request() {
	now := time.Now()
	s.requested.Store(&now)
}

// begin runs the container's pre_stop and asks Docker to stop it. The channel gets
// the result.
func (s *stopper) begin(ctx context.Context, id string, grace time.Duration) <-chan error {
	stopped := make(chan error, 1)
	go func() { stopped <- s.engine.Stop(ctx, id, s.preStop(ctx, id, grace)) }()
	return stopped
}

// grace returns how long the container may take to end: its own grace period,
// or the rest of the unit's stop timeout if that is shorter. It is negative
// where neither limits it.
func (s *stopper) grace(ctx context.Context) time.Duration {
	grace := defaultGrace
	if own := s.container.Config.StopTimeout; own != nil {
		grace = time.Duration(*own) * time.Second
	}
	properties, err := s.unit.read(ctx)
	if err != nil || properties.TimeoutStop == 0 {
		return grace
	}
	limit := max(properties.TimeoutStop-stopMargin-s.elapsed(), time.Second)
	if grace >= 0 && grace <= limit {
		return grace
	}
	s.log.Warn("the unit's stop timeout cuts the container's grace period short",
		zap.Duration("timeout_stop", properties.TimeoutStop), zap.Duration("stop_grace_period", grace))
	return limit
}

// elapsed returns the time since the stop was requested.
func (s *stopper) elapsed() time.Duration {
	if requested := s.requested.Load(); requested != nil {
		return time.Since(*requested)
	}
	return 0
}

// stopRequested begins the stop that systemd asks for.
func (f *follower) stopRequested(ctx context.Context) *ending {
	if f.loop.mode == modeFollowing {
		f.report.noteStartTimeout()
	}
	return f.stop(ctx)
}

// stop begins to stop the container, with its own stop signal, in the time that
// systemd leaves.
func (f *follower) stop(ctx context.Context) *ending {
	c := f.running
	if f.loop.mode == modeAway {
		c.exit = f.engine.WaitEnded(ctx, c.id) // the former channel has failed
	}
	f.report.life.send(eventStopRequested)
	grace := f.stopper.grace(ctx)
	if grace >= 0 {
		f.report.notify.Status(fmt.Sprintf("stopping, the container has %s to end", grace))
	}
	f.loop.enter(modeStopping, noLimit)
	f.loop.grace = grace
	f.loop.stopped = f.stopper.begin(ctx, c.id, grace)
	return nil
}

// stopReturned acts on the result of docker stop. After a success the exit
// follows.
func (f *follower) stopReturned(err error) *ending {
	f.loop.stopped = nil
	switch {
	case errors.Is(err, engine.ErrUnreachable):
		return f.terminate(err)
	case err != nil:
		return new(notRun(err))
	}
	return nil
}

// terminate stops a container without Docker, which does not answer: its process
// gets the stop signal, and the same time to end. The next start removes what is
// left. Where the process cannot be signalled, systemd kills it after the
// supervisor's end.
func (f *follower) terminate(cause error) *ending {
	c := f.running
	err := c.process.signal(c.stopSignal)
	if errors.Is(err, os.ErrProcessDone) {
		return &ending{dockerLost: true}
	}
	if err != nil {
		return &ending{code: ExitNotRun, dockerLost: true, err: fmt.Errorf("stop without Docker: %w: %w", err, cause)}
	}
	f.report.log.Warn("docker does not answer, so the supervisor stops the container itself", zap.Error(cause))
	f.loop.enter(modeTerminating, f.loop.grace)
	return nil
}

// kill kills a container that did not end on its stop signal.
func (f *follower) kill() {
	_ = f.running.process.signal(unix.SIGKILL)
	f.loop.enter(modeKilling, stopMargin)
}

// killed is the ending of a container that the supervisor killed.
func (f *follower) killed() *ending {
	end := killedEnding()
	end.dockerLost = true
	return &end
}
