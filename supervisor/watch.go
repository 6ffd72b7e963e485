package supervisor

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/systemd"
)

const (
	// drainTimeout bounds the wait for a container's last output.
	drainTimeout = 5 * time.Second
	// askTimeout bounds a question to an Engine that went away.
	askTimeout = 5 * time.Second
)

// timeoutLag is how much sooner systemd's timer may end than ours: it began
// sooner.
const timeoutLag = time.Second

// running is a container that was started, and what is heard of it.
type running struct {
	id string
	// process is its first process; gone is closed when that has ended, and
	// nil once that was noticed.
	process *process
	gone    <-chan struct{}
	// overdue tells that the Engine ought to have said how it ended.
	overdue <-chan time.Time
	// stopSignal is what Docker stops it with.
	stopSignal unix.Signal
	// memory is what the kernel had counted at the start in the unit's cgroup
	// and above, own what it had at the end in the container's.
	memory []systemd.Memory
	own    *systemd.Memory
	// since is when it was begun to listen.
	since  time.Time
	output *output
	exit   <-chan engine.Exit
	events <-chan engine.Event
	// signaled says that someone sent the container a signal through Docker
	// that may have been the first of a stop, killed that the last was SIGKILL.
	signaled, killed bool
	// died says that the Engine told of the end, stopped that someone stopped
	// the container through it, started that it runs again.
	died, stopped, started bool
}

// watch starts a container that was created and returns its exit status when
// it has ended. Everything that could miss its end is set up before the start.
func (s *Supervisor) watch(ctx context.Context, id string) (int, error) {
	// What follows the container must outlive the request to stop it.
	streams, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	c := &running{id: id, memory: s.Cgroups.Memory(s.cgroup)}
	if err := s.listen(streams, c, s.Engine.Wait); err != nil {
		return ExitNotRun, err
	}
	defer func() { c.output.Close() }()
	if stopAsked(ctx) {
		s.life.stopRequested()
		return 0, nil
	}
	if err := s.Engine.Start(streams, id); err != nil {
		return s.notStarted(streams, id), s.explainStart(streams, err)
	}
	defer func() { c.process.close() }()
	if err := s.verifyPlace(streams, c); err != nil {
		return ExitNotRun, err
	}
	if err := s.writePIDFile(c.process.id()); err != nil {
		return ExitNotRun, err
	}
	s.pid = c.process.id()
	s.dropSignals()
	s.life.started()
	if s.spec.Notify.AtOnce() {
		s.life.ready()
	} else {
		s.allowReadiness(streams)
	}
	s.readiness.watch(streams, id, s.pid)
	if s.detached {
		return 0, nil
	}
	s.gpuPid.Store(int64(s.pid))
	s.watchGPUs(streams)
	s.adviseUnit(streams)
	s.Engine.CloseIdle()
	code, err := s.follow(ctx, streams, c)
	if s.detached {
		return 0, nil
	}
	drain(c.output.Done())
	return code, err
}

// allowReadiness gives the container the unit's whole start timeout for
// becoming ready, whatever the pull before it took.
func (s *Supervisor) allowReadiness(ctx context.Context) {
	if unit, err := s.Units.Unit(ctx, s.unit); err == nil && unit.TimeoutStart > 0 {
		s.Notify.ExtendTimeout(unit.TimeoutStart)
		s.readyBy = time.Now().Add(unit.TimeoutStart)
	}
}

// startTimedOut says why systemd stops a container that did not become ready
// in its time, if that is what the stop is for.
func (s *Supervisor) startTimedOut() {
	if s.life.phase == phaseUnready && !s.readyBy.IsZero() && time.Until(s.readyBy) < timeoutLag {
		s.trouble(fmt.Errorf("not ready within the unit's start timeout, waiting for %s", s.readiness.waitsFor()))
	}
}

// listen takes up everything that is heard of a container.
func (s *Supervisor) listen(ctx context.Context, c *running, wait func(context.Context, string) <-chan engine.Exit) error {
	since := time.Now()
	if c.output == nil {
		var err error
		if c.output, err = s.attach(ctx, c.id); err != nil {
			return err
		}
	} else {
		c.output = s.resume(ctx, c.id, c.output)
	}
	c.since = since
	c.exit = wait(ctx, c.id)
	if c.events == nil {
		c.events = s.Engine.Events(ctx, c.id, "health_status", "kill", "die", "stop", "start", "pause", "unpause")
	}
	return nil
}

// follow returns when the container has ended, or was left to systemd.
func (s *Supervisor) follow(ctx, streams context.Context, c *running) (int, error) {
	for !s.detached {
		select {
		case <-ctx.Done():
			s.startTimedOut()
			return s.stop(streams, c)
		case e := <-c.exit:
			if e.Err == nil {
				if stopAsked(ctx) {
					// Where the unit's author left KillMode= alone, systemd signals
					// the container too, which may be quicker.
					s.life.stopRequested()
					return c.stopStatus(e.Code)
				}
				if again, code, err := s.ended(streams, c, e.Code); !again {
					return code, err
				}
				continue
			}
			if again, code, err := s.recover(ctx, streams, c, e.Err); !again {
				return code, err
			}
		case <-c.gone:
			s.noticed(c)
		case <-c.overdue:
			return s.untold()
		case event, open := <-c.events:
			if !open {
				// The Engine went away; the exit channel says so too.
				c.events = nil
				continue
			}
			s.happened(streams, c, event)
		case call := <-s.calls:
			call()
			if s.mustEnd != nil {
				return s.endForced(streams, c)
			}
		case sig := <-s.Signals:
			if sig == syscall.SIGABRT {
				s.expired()
				return s.stop(streams, c)
			}
			s.signalled(streams, c.id, sig)
		}
	}
	return 0, nil
}

// stopAsked says whether systemd asked the supervisor to end.
func stopAsked(ctx context.Context) bool { return ctx.Err() != nil }

// recover is for an Engine that went away while the container ran. With
// live-restore the container goes on, and so does the watch once the Engine is
// back; else the container is gone, and how it ended is asked for. It returns
// true when the container still runs and is listened to again.
func (s *Supervisor) recover(ctx, streams context.Context, c *running, cause error) (bool, int, error) {
	s.Log.Warn("lost touch with Docker", zap.Error(cause))
	c.events = nil
	tries := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	for {
		found, err := s.ask(ctx, c.id)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return false, ExitNotRun, fmt.Errorf("container was removed: %w", err)
		case err == nil && found.Running:
			if err := s.listen(streams, c, s.Engine.WaitEnded); err != nil {
				break // it went away again
			}
			s.Log.Info("docker is back and the container runs")
			s.Notify.Status(s.runningStatus())
			s.readiness.health(found.Health) // what it has become in the meantime
			s.setPaused(streams, found.Status == container.StatePaused)
			return true, 0, nil
		case err == nil && s.outlivesEngine(streams):
			c.output = s.resume(streams, c.id, c.output)
			code, err := s.exited(streams, c, found.ExitCode)
			return false, code, err
		case err == nil:
			c.output = s.resume(streams, c.id, c.output)
			return false, max(found.ExitCode, 1), takenAlong(found.ExitCode)
		case !c.process.alive():
			s.noticed(c)
		default:
			s.Notify.Status("running, but Docker does not answer at " + s.Engine.Host())
		}
		if over, code, err := s.waitForEngine(ctx, streams, c, tries.Step()); over {
			return false, code, err
		}
	}
}

// waitForEngine waits for a while, or until the container's process ends, and
// does what is to be done meanwhile. It returns true when the supervisor is to
// end.
func (s *Supervisor) waitForEngine(ctx, streams context.Context, c *running, wait time.Duration) (bool, int, error) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			c.exit = s.Engine.WaitEnded(streams, c.id) // the one before has told already
			code, err := s.stop(streams, c)
			return true, code, err
		case <-c.gone:
			s.noticed(c)
			return false, 0, nil
		case <-c.overdue:
			code, err := s.untold()
			return true, code, err
		case call := <-s.calls:
			call()
			if s.mustEnd != nil {
				c.exit = s.Engine.WaitEnded(streams, c.id)
				code, err := s.endForced(streams, c)
				return true, code, err
			}
		case sig := <-s.Signals:
			if sig == syscall.SIGABRT {
				s.expired()
				c.exit = s.Engine.WaitEnded(streams, c.id)
				code, err := s.stop(streams, c)
				return true, code, err
			}
			s.signalled(streams, c.id, sig)
		case <-timer.C:
			return false, 0, nil
		}
	}
}

// ask asks how the container fares, and does not wait for long: an Engine
// that is starting takes the request and answers when it is up.
func (s *Supervisor) ask(ctx context.Context, id string) (engine.Container, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	return s.Engine.Inspect(ctx, id)
}

// happened takes note of one event.
func (s *Supervisor) happened(ctx context.Context, c *running, event engine.Event) {
	switch event.Action {
	case "health_status":
		s.Log.Info("health changed", zap.String("health", event.Health))
		was := s.life.phase
		s.readiness.health(event.Health)
		if was == phaseRunning {
			s.Notify.Status(s.runningStatus() + ", " + event.Health)
		}
	case "pause", "unpause":
		s.Log.Info("someone has paused the container, or let it go on", zap.String("action", event.Action))
		s.setPaused(ctx, event.Action == "pause")
	case "kill":
		// docker stop sends the stop signal first; docker kill and docker rm
		// send SIGKILL alone.
		sig := unix.Signal(event.Signal)
		c.killed = sig == unix.SIGKILL
		c.signaled = c.signaled || !c.killed || c.stopSignal == unix.SIGKILL
	case "die":
		c.died = true
	case "stop":
		c.stopped = true
	case "start":
		c.started = c.died // and not for the first time
	}
}

// drain waits for the last output, but not for ever: a process that was
// started in the container may hold the stream open.
func drain(done <-chan struct{}) {
	timeout := time.NewTimer(drainTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
	}
}
