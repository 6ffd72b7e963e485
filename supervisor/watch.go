package supervisor

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

const (
	// defaultGrace is Docker's own time between the stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// stopMargin is what is left of the unit's stop timeout for removing the
	// container and ending.
	stopMargin = 2 * time.Second
	// drainTimeout bounds the wait for a container's last output, and for the
	// Engine to say why it ended.
	drainTimeout = 5 * time.Second
	exitKilled   = 128 + 9
	// engineUnit is Docker's unit on every distribution that has one.
	engineUnit = "docker.service"
	// leaveTimeout is how long Docker may take to answer before it counts as
	// going down: with socket activation, systemd takes the request instead.
	leaveTimeout = 2 * time.Second
)

// running is a container that was started, and what is heard of it.
type running struct {
	id     string
	pid    int
	output *engine.Attachment
	exit   <-chan engine.Exit
	events <-chan engine.Event
	// killed says that someone sent the container a signal through Docker.
	killed bool
	// stopped says that someone stopped it through Docker.
	stopped bool
}

// watch starts a container that was created and returns its exit status when
// it has ended. Everything that could miss its end is set up before the start.
func (s *Supervisor) watch(ctx context.Context, id string) (int, error) {
	// What follows the container must outlive the request to stop it.
	streams, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	c := &running{id: id}
	if err := s.listen(streams, c, s.Engine.Wait); err != nil {
		return ExitNotRun, err
	}
	defer func() { c.output.Close() }()
	if err := s.Engine.Start(streams, id); err != nil {
		return ExitNotRun, s.explainStart(streams, err)
	}
	var err error
	if c.pid, err = s.verifyPlace(streams, id); err != nil {
		return ExitNotRun, err
	}
	s.life.started()
	if s.spec.Notify == spec.NotifyStarted {
		s.life.ready()
	} else {
		s.allowReadiness(streams)
	}
	code, err := s.follow(ctx, streams, c)
	drain(c.output.Done())
	return code, err
}

// allowReadiness gives the container the unit's whole start timeout for
// becoming ready, whatever the pull before it took.
func (s *Supervisor) allowReadiness(ctx context.Context) {
	if unit, err := s.Units.Unit(ctx, s.unit); err == nil && unit.TimeoutStart > 0 {
		s.Notify.ExtendTimeout(unit.TimeoutStart)
	}
}

// listen takes up everything that is heard of a container.
func (s *Supervisor) listen(ctx context.Context, c *running, wait func(context.Context, string) <-chan engine.Exit) error {
	output, err := s.Engine.Attach(ctx, c.id, engine.Output{Stdout: s.Stdout, Stderr: s.Stderr, TTY: s.spec.Config.Tty})
	if err != nil {
		return err
	}
	if c.output != nil {
		c.output.Close()
	}
	c.output = output
	c.exit = wait(ctx, c.id)
	c.events = s.Engine.Events(ctx, c.id, "health_status", "kill", "stop")
	return nil
}

// follow returns when the container has ended.
func (s *Supervisor) follow(ctx, streams context.Context, c *running) (int, error) {
	for {
		select {
		case <-ctx.Done():
			return s.stop(streams, c)
		case e := <-c.exit:
			if e.Err == nil {
				return s.ended(streams, c, e.Code)
			}
			if again, code, err := s.recover(ctx, streams, c, e.Err); !again {
				return code, err
			}
		case event, open := <-c.events:
			if !open {
				// The Engine went away; the exit channel says so too.
				c.events = nil
				continue
			}
			s.happened(c, event)
		}
	}
}

// recover is for an Engine that went away while the container ran. With
// live-restore the container goes on, and so does the watch once the Engine is
// back; else the container is gone, and how it ended is asked for. It returns
// true when the container still runs and is listened to again.
func (s *Supervisor) recover(ctx, streams context.Context, c *running, cause error) (bool, int, error) {
	s.Log.Warn("lost touch with Docker", zap.Error(cause))
	tries := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	for {
		found, err := s.Engine.Inspect(streams, c.id)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return false, ExitNotRun, fmt.Errorf("container was removed: %w", err)
		case err == nil && found.Running:
			s.Log.Info("docker is back and the container runs")
			if err := s.listen(streams, c, s.Engine.WaitEnded); err != nil {
				return false, ExitNotRun, err
			}
			if found.Health == "healthy" && s.spec.Notify == spec.NotifyHealthy {
				s.life.ready() // it may have become so in the meantime
			}
			return true, 0, nil
		case err == nil && s.outlivesEngine(streams):
			code, err := s.ended(streams, c, found.ExitCode)
			return false, code, err
		case err == nil:
			return false, max(found.ExitCode, 1), takenAlong(found.ExitCode)
		case !alive(c.pid):
			return false, ExitNotRun, fmt.Errorf("docker went away and the container with it: %w", cause)
		}
		waitErr := tries.Wait(ctx, func(time.Duration) {
			s.Notify.Status("running, but Docker does not answer at " + s.Engine.Host())
		})
		if waitErr != nil {
			code, err := s.stop(streams, c)
			return false, code, err
		}
	}
}

// alive says whether the process exists.
func alive(pid int) bool {
	return pid != 0 && syscall.Kill(pid, 0) == nil
}

// happened takes note of one event.
func (s *Supervisor) happened(c *running, event engine.Event) {
	switch event.Action {
	case "health_status":
		s.Log.Info("health changed", zap.String("health", event.Health))
		switch {
		case event.Health == "healthy" && s.spec.Notify == spec.NotifyHealthy:
			s.life.ready()
		case s.life.phase == phaseRunning:
			s.Notify.Status(s.runningStatus() + ", " + event.Health)
		}
	case "kill":
		c.killed = true
	case "stop":
		c.stopped = true
	}
}

// ended turns the container's exit code into the supervisor's status.
func (s *Supervisor) ended(ctx context.Context, c *running, code int) (int, error) {
	s.awaitReason(c)
	switch {
	case s.engineLeaves(ctx):
		return max(code, 1), takenAlong(code)
	case c.stopped:
		s.Log.Info("container was stopped by docker stop", zap.Int("exit_code", code))
		s.life.stopRequested()
		return 0, nil
	}
	if code == 0 {
		s.Log.Info("container ended", zap.Int("exit_code", 0))
		return 0, nil
	}
	return code, s.explainExit(ctx, c.id, code)
}

// takenAlong is the end of a container that nobody asked for: it counts as a
// failure, whatever its exit code, so that Restart=on-failure brings it back.
func takenAlong(code int) error {
	return fmt.Errorf("docker stopped and took the container along (exit code %d)", code)
}

// outlivesEngine says whether Docker leaves its containers alone when it
// stops.
func (s *Supervisor) outlivesEngine(ctx context.Context) bool {
	info, err := s.Engine.Info(ctx)
	return err == nil && info.LiveRestore
}

// engineLeaves says whether Docker itself is going down: without live-restore
// it stops its containers as docker stop does, and may or may not say so.
// Docker 20.10 even answers still, but systemd knows.
func (s *Supervisor) engineLeaves(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if unit, err := s.Units.Unit(ctx, engineUnit); err == nil && unit.ActiveState == "deactivating" {
		return true
	}
	return s.Engine.Ping(ctx) != nil
}

// awaitReason lets the Engine say, after a signal that was sent through it,
// whether that was a stop: it says so a moment after the container's end.
func (s *Supervisor) awaitReason(c *running) {
	timeout := time.NewTimer(drainTimeout)
	defer timeout.Stop()
	for c.events != nil && c.killed && !c.stopped {
		select {
		case event, open := <-c.events:
			if !open {
				return
			}
			s.happened(c, event)
		case <-timeout.C:
			return
		}
	}
}

func (s *Supervisor) explainExit(ctx context.Context, id string, code int) error {
	why := fmt.Errorf("container ended with exit code %d", code)
	if code > 128 && code < 128+65 {
		why = fmt.Errorf("container was killed by signal %d (exit code %d)", code-128, code)
	}
	if found, err := s.Engine.Inspect(ctx, id); err == nil && found.OOMKilled {
		why = fmt.Errorf("%w: it was out of memory", why)
	}
	return why
}

// stop asks the container to end, with its own stop signal, in the time that
// systemd leaves for it.
func (s *Supervisor) stop(ctx context.Context, c *running) (int, error) {
	s.life.stopRequested()
	stopped := make(chan error, 1)
	go func() { stopped <- s.Engine.Stop(ctx, c.id, s.grace(ctx)) }()
	for {
		select {
		case err := <-stopped:
			if err != nil {
				return ExitNotRun, err
			}
			stopped = nil
		case e := <-c.exit:
			if e.Err == nil && e.Code == exitKilled {
				return e.Code, errors.New("container did not end on its stop signal and was killed")
			}
			return 0, e.Err
		case _, open := <-c.events:
			if !open {
				c.events = nil
			}
		}
	}
}

// grace is how long the container may take to end: its own time, or less when
// the unit's stop timeout is shorter.
func (s *Supervisor) grace(ctx context.Context) time.Duration {
	grace := defaultGrace
	if own := s.spec.Config.StopTimeout; own != nil {
		grace = time.Duration(*own) * time.Second
	}
	unit, err := s.Units.Unit(ctx, s.unit)
	if err != nil || unit.TimeoutStop == 0 {
		return grace
	}
	if limit := max(unit.TimeoutStop-stopMargin, time.Second); limit < grace {
		s.Log.Warn("the unit's stop timeout cuts the container's grace period short",
			zap.Duration("timeout_stop", unit.TimeoutStop), zap.Duration("stop_grace_period", grace))
		return limit
	}
	return grace
}

// verifyPlace proves that the container was born in the unit's cgroup, and
// returns its pid; 0 when it has ended already.
func (s *Supervisor) verifyPlace(ctx context.Context, id string) (int, error) {
	found, err := s.Engine.Inspect(ctx, id)
	if err != nil {
		return 0, err
	}
	if found.Pid == 0 {
		return 0, nil
	}
	held, at, err := s.Cgroups.Holds(s.cgroup, found.Pid)
	if err != nil {
		// The process ended in between: its exit is on the way.
		return 0, nil //nolint:nilerr // see above
	}
	if !held {
		return 0, fmt.Errorf("container was born in cgroup %q and not below %q, so it was stopped (is the runtime right? run: dockhost setup --check)", at, s.cgroup)
	}
	return found.Pid, nil
}

// explainStart adds, to the Engine's refusal to start, the port that another
// program has.
func (s *Supervisor) explainStart(ctx context.Context, err error) error {
	for _, port := range engine.HostPorts(s.spec.HostConfig.PortBindings) {
		if port.InUse(ctx) {
			return fmt.Errorf("port %s is already in use on this host (see: ss -lnp 'sport = :%d'): %w", port, port.Number, err)
		}
	}
	return err
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
