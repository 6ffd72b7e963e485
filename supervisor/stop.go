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

const (
	// defaultGrace is Docker's own time between the stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// stopMargin is what is left of the unit's stop timeout for removing the
	// container and ending.
	stopMargin = 2 * time.Second
	exitKilled = 128 + 9
)

// stop asks the container to end, with its own stop signal, in the time that
// systemd leaves for it.
func (s *Supervisor) stop(ctx context.Context, c *running) (int, error) {
	s.life.stopRequested()
	grace := s.grace(ctx)
	if grace >= 0 {
		s.Notify.Status(fmt.Sprintf("stopping, the container has %s to end", grace))
	}
	stopped := make(chan error, 1)
	go func() { stopped <- s.Engine.Stop(ctx, c.id, grace) }()
	for {
		select {
		case err := <-stopped:
			if errors.Is(err, engine.ErrUnreachable) {
				return s.stopAlone(c, grace, err)
			}
			if err != nil {
				return ExitNotRun, err
			}
			stopped = nil
		case e := <-c.exit:
			if e.Err != nil {
				return s.stopAlone(c, grace, e.Err)
			}
			return c.stopStatus(e.Code)
		case <-c.gone:
			s.noticed(c)
		case <-c.overdue:
			s.lost = true
			return 0, nil
		case call := <-s.calls:
			call()
		case event, open := <-c.events:
			if !open {
				c.events = nil
				continue
			}
			s.happened(ctx, c, event)
		}
	}
}

// stopStatus is the status after a stop that was asked for, by systemd or by
// docker stop. A container that SIGKILL stops was not killed for being late.
func (c *running) stopStatus(code int) (int, error) {
	if code == exitKilled && c.stopSignal != unix.SIGKILL {
		return code, errKilled()
	}
	return 0, nil
}

func errKilled() error {
	return errors.New("container did not end on its stop signal and was killed")
}

// stopAlone is stop where Docker does not answer. The container's process gets
// its stop signal all the same, and as much time; what is left of the
// container is removed by the next start. Where the process cannot be
// signalled, systemd kills it when the supervisor has ended.
func (s *Supervisor) stopAlone(c *running, grace time.Duration, cause error) (int, error) {
	s.lost = true
	err := c.process.signal(c.stopSignal)
	if errors.Is(err, os.ErrProcessDone) {
		return 0, nil
	}
	if err != nil {
		return ExitNotRun, fmt.Errorf("stop without Docker: %w: %w", err, cause)
	}
	s.Log.Warn("docker does not answer, so the container is stopped without it", zap.Error(cause))
	if c.process.endsWithin(grace) {
		return 0, nil
	}
	_ = c.process.signal(unix.SIGKILL)
	c.process.endsWithin(stopMargin)
	return exitKilled, errKilled()
}

// grace is how long the container may take to end: its own time, or less when
// what is left of the unit's stop timeout is shorter. It is negative where
// neither limits it.
func (s *Supervisor) grace(ctx context.Context) time.Duration {
	grace := defaultGrace
	if own := s.spec.Config.StopTimeout; own != nil {
		grace = time.Duration(*own) * time.Second
	}
	unit, err := s.Units.Unit(ctx, s.unit)
	if err != nil || unit.TimeoutStop == 0 {
		return grace
	}
	limit := max(unit.TimeoutStop-stopMargin-s.stopping(), time.Second)
	if grace >= 0 && grace <= limit {
		return grace
	}
	s.Log.Warn("the unit's stop timeout cuts the container's grace period short",
		zap.Duration("timeout_stop", unit.TimeoutStop), zap.Duration("stop_grace_period", grace))
	return limit
}

// stopping is how long ago the stop was asked for: what had been begun with
// the Engine was finished first.
func (s *Supervisor) stopping() time.Duration {
	if asked := s.asked.Load(); asked != nil {
		return time.Since(*asked)
	}
	return 0
}
