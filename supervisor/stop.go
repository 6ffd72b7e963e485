package supervisor

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"
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
			switch {
			case e.Err != nil:
				return ExitNotRun, e.Err
			case e.Code == exitKilled:
				return e.Code, errors.New("container did not end on its stop signal and was killed")
			}
			return 0, nil
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
