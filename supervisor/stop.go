package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
)

// stopping is a stop that is under way.
type stopping struct {
	// grace is the time that the container has to end; negative without a limit.
	grace time.Duration
	// prepared gets what pre_stop left of the grace period, stopped the result of
	// docker stop.
	prepared <-chan time.Duration
	stopped  <-chan error
	// delivered is when Docker reported that it had sent the stop signal; zero
	// before.
	delivered time.Time
}

// left returns what is left of the grace period. All of it is left before the stop
// signal.
func (s *stopping) left() time.Duration {
	if s.grace < 0 || s.delivered.IsZero() {
		return s.grace
	}
	return max(s.grace-time.Since(s.delivered), 0)
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
	away := f.loop.mode == modeAway
	f.report.life.send(eventStopRequested)
	grace := f.stopper.grace(ctx)
	if grace >= 0 {
		f.report.notify.Status(fmt.Sprintf("stopping %s, the container has %s to end", f.container.Image, grace))
	}
	f.loop.enter(modeStopping, noLimit)
	f.loop.stopping = stopping{grace: grace}
	if f.running.overdue != nil {
		f.running.overdue = time.After(f.stopper.codeTimeout())
	}
	switch {
	case away && f.loop.cause != nil:
		return f.terminate(f.loop.cause)
	case away:
		return f.terminate(engine.ErrUnreachable)
	case len(f.container.PreStop) > 0:
		f.loop.stopping.prepared = f.stopper.prepare(ctx, f.running.id, grace)
	default:
		f.askDocker(ctx, grace)
	}
	return nil
}

// askDocker asks Docker to stop the container. Docker reports the stop signal once
// the container got it.
func (f *follower) askDocker(ctx context.Context, grace time.Duration) {
	s := &f.loop.stopping
	s.prepared, s.stopped, s.delivered = nil, f.stopper.ask(ctx, f.running.id, grace), time.Time{}
	f.awaitDocker(f.stopper.patience())
}

// awaitDocker limits the wait for what Docker was asked to do. A process that has ended
// has a limit of its own.
func (f *follower) awaitDocker(limit time.Duration) {
	if f.running.overdue == nil {
		f.loop.setTimer(limit)
	}
}

// noteKill notes that Docker has sent the container a signal. After the stop signal
// the container has its grace period to end, after SIGKILL a moment.
func (f *follower) noteKill(sent unix.Signal) {
	c, s := f.running, &f.loop.stopping
	c.signs.signal(sent, c.stopSignal)
	if f.loop.mode != modeStopping || s.prepared != nil {
		return
	}
	switch {
	case sent == unix.SIGKILL:
		f.awaitDocker(f.stopper.patience())
	case sent == c.stopSignal && s.delivered.IsZero() && s.grace >= 0:
		// docker stop takes whole seconds.
		f.awaitDocker(s.grace + time.Second + f.stopper.patience())
	case sent == c.stopSignal && s.delivered.IsZero():
		f.awaitDocker(noLimit)
	default:
		return
	}
	if s.delivered.IsZero() {
		s.delivered = time.Now()
	}
}

// stopReturned acts on the result of docker stop. After a success the exit
// follows, unless Docker was wrong about the container.
func (f *follower) stopReturned(err error) *ending {
	f.loop.stopping.stopped = nil
	if err != nil {
		return f.terminate(err)
	}
	f.awaitDocker(f.stopper.patience())
	return nil
}

// stopOverdue acts on a Docker that has not done in time what it was asked for.
func (f *follower) stopOverdue() *ending {
	if f.loop.stopping.delivered.IsZero() {
		return f.terminate(errors.New("docker has not sent the stop signal in time"))
	}
	f.report.log.Warn("docker has not ended the container in time, so the supervisor kills it")
	return f.kill()
}

// terminate stops a container without Docker, which does not answer or cannot: its
// process gets the stop signal, unless Docker has sent it, and the same time to end.
// The next start removes what is left. Where the process cannot be signalled,
// systemd kills it after the supervisor's end.
func (f *follower) terminate(cause error) *ending {
	c, s := f.running, &f.loop.stopping
	var err error
	if s.delivered.IsZero() {
		err = c.process.signal(c.stopSignal)
	}
	if errors.Is(err, os.ErrProcessDone) || err == nil && !c.process.alive() {
		return &ending{dockerLost: true}
	}
	if err != nil && s.stopped != nil {
		// A unit with User= may not signal the container. Docker may still do so.
		f.report.log.Warn("docker does not answer, and the supervisor cannot stop the container either", zap.Error(err))
		s.delivered = time.Now()
		f.awaitDocker(f.stopper.within(noLimit))
		return nil
	}
	if err != nil {
		return &ending{code: ExitNotRun, dockerLost: true, err: fmt.Errorf("stop without Docker: %w: %w", err, cause)}
	}
	f.report.log.Warn("docker cannot stop the container, so the supervisor does", zap.Error(cause))
	f.loop.enter(modeTerminating, f.stopper.within(s.left()))
	return nil
}

// kill kills a container that did not end on its stop signal.
func (f *follower) kill() *ending {
	if err := f.running.process.signal(unix.SIGKILL); errors.Is(err, os.ErrProcessDone) {
		return &ending{dockerLost: true}
	}
	f.loop.enter(modeKilling, killTime)
	return nil
}

// killed is the ending of a container that the supervisor killed.
func (f *follower) killed() *ending {
	end := f.stopEnding(exitKilled)
	end.dockerLost = true
	return &end
}

// stopEnding is the ending after a stop, by systemd or by docker stop. A container
// whose stop signal is SIGKILL was not killed for being late. A late one is a failure
// of an assigned container, and of one that systemd did not stop: either starts
// again. Otherwise the unit has ended as it was asked to.
func (f *follower) stopEnding(code int) ending {
	if code != exitKilled || f.running.stopSignal == unix.SIGKILL {
		return ending{}
	}
	err := fromOutside(errors.New("container did not end on its stop signal and was killed"))
	if f.container.Run != nil && f.inbox.stopRequested() {
		f.report.log.Warn(err.Error())
		return ending{}
	}
	return ending{code: exitKilled, err: err}
}
