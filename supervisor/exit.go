package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
)

const (
	// eventLag bounds the wait for what the Engine tells of an end on another
	// connection than the end itself.
	eventLag = 2 * time.Second
	// codeTimeout is how long the Engine may take to tell the exit code of a
	// container that is known to have ended.
	codeTimeout = 30 * time.Second
	// engineUnit is Docker's unit on every distribution that has one.
	engineUnit = "docker.service"
	// leaveTimeout is how long Docker may take to answer before it counts as
	// going down: with socket activation, systemd takes the request instead.
	leaveTimeout = 2 * time.Second
)

// ended turns the container's exit code into the supervisor's status. It
// returns true when Docker has started the container again.
func (s *Supervisor) ended(ctx context.Context, c *running, code int) (bool, int, error) {
	s.awaitReason(ctx, c)
	switch {
	case c.maybeStopped() && s.engineLeft(ctx, c):
		return false, max(code, 1), takenAlong(code)
	case c.stopped && s.restarted(ctx, c):
		return s.followAgain(ctx, c)
	case c.stopped:
		s.Log.Info("container was stopped by docker stop", zap.Int("exit_code", code))
		s.life.stopRequested()
		code, err := c.stopStatus(code)
		return false, code, err
	}
	code, err := s.exited(ctx, c, code)
	return false, code, err
}

// exited is the status of a container that nobody stopped.
func (s *Supervisor) exited(ctx context.Context, c *running, code int) (int, error) {
	if code == 0 {
		s.Log.Info("container ended", zap.Int("exit_code", 0))
		return 0, nil
	}
	return code, s.explainExit(ctx, c, code)
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

// maybeStopped says whether someone may have stopped the container through
// Docker, which tells of each signal that it sends before it tells of the end.
func (c *running) maybeStopped() bool { return c.signaled || !c.died }

// awaitReason lets the Engine tell of the end, and, after a signal that may
// have been a stop's, whether it was: it says so when the container has ended.
// An end that no such signal came before is judged at once.
func (s *Supervisor) awaitReason(ctx context.Context, c *running) {
	timeout := time.NewTimer(eventLag)
	defer timeout.Stop()
	for c.events != nil && c.maybeStopped() && (!c.died || !c.stopped) {
		select {
		case event, open := <-c.events:
			if !open {
				c.events = nil
				return
			}
			s.happened(ctx, c, event)
		case <-timeout.C:
			return
		}
	}
}

// noticed takes note that the container's process has ended, which the kernel
// tells before Docker, or without it. How it ended Docker alone knows.
func (s *Supervisor) noticed(c *running) {
	if c.overdue != nil {
		return
	}
	c.gone, c.own = nil, s.ownMemory()
	c.overdue = time.After(s.codeTimeout)
	s.Notify.Status("container has ended; waiting for Docker to say how")
}

// untold is the end of a container that Docker did not explain in time. What
// is left of it is removed by the next start, when Docker answers again.
func (s *Supervisor) untold() (int, error) {
	s.lost = true
	return ExitNotRun, fmt.Errorf("container ended, and Docker at %s did not say how within %s (is docker.service running?)", s.Engine.Host(), s.codeTimeout)
}

// explainExit says why the container ended as it did.
func (s *Supervisor) explainExit(ctx context.Context, c *running, code int) error {
	found, err := s.Engine.Inspect(ctx, c.id)
	if errors.Is(err, engine.ErrNotFound) || found.Status == container.StateRemoving {
		return fmt.Errorf("container was removed by docker rm (exit code %d)", code)
	}
	want := ""
	if err == nil {
		want = s.wantOfMemory(c, found)
	}
	switch {
	case want != "" && code == exitKilled && !c.killed:
		return fmt.Errorf("container was killed for want of memory (exit code %d): %s", code, want)
	case want != "" && code != exitKilled:
		return fmt.Errorf("container ended with exit code %d, after one of its processes was killed for want of memory: %s", code, want)
	case code > 128 && code < 128+65:
		return fmt.Errorf("container was killed by signal %d (exit code %d)", code-128, code)
	}
	return fmt.Errorf("container ended with exit code %d", code)
}
