package supervisor

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

const (
	// eventLag is how much later than a container's end a signal that was sent
	// through the Engine may be told: on another connection.
	eventLag = 100 * time.Millisecond
	// engineUnit is Docker's unit on every distribution that has one.
	engineUnit = "docker.service"
	// leaveTimeout is how long Docker may take to answer before it counts as
	// going down: with socket activation, systemd takes the request instead.
	leaveTimeout = 2 * time.Second
)

// ended turns the container's exit code into the supervisor's status.
func (s *Supervisor) ended(ctx context.Context, c *running, code int) (int, error) {
	s.awaitReason(c)
	switch {
	case s.engineLeft(ctx, c):
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

// engineLeft says whether Docker itself went down while it was listened to:
// without live-restore it stops its containers as docker stop does, and may or
// may not say so. It may answer still, or again, but systemd knows.
func (s *Supervisor) engineLeft(ctx context.Context, c *running) bool {
	ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
	defer cancel()
	if unit, err := s.Units.Unit(ctx, engineUnit); err == nil && unit.LeftActive.After(c.since) {
		return true
	}
	return s.Engine.Ping(ctx) != nil
}

// awaitReason lets the Engine say, after a signal that was sent through it,
// whether that was a stop: it says so a moment after the container's end.
func (s *Supervisor) awaitReason(c *running) {
	timeout := time.NewTimer(eventLag)
	defer timeout.Stop()
	if c.killed {
		timeout.Reset(drainTimeout)
	}
	for c.events != nil && !c.stopped {
		select {
		case event, open := <-c.events:
			if !open {
				return
			}
			s.happened(c, event)
			if event.Action == "kill" {
				timeout.Reset(drainTimeout)
			}
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
