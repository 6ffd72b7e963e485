package supervisor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// reloadTimeout is how long a reload may take where the unit sets no limit.
const reloadTimeout = 5 * time.Minute

// Signals are what the supervisor wants to be told of, beside the requests to
// stop: SIGHUP is systemd's word for a reload, SIGABRT its watchdog's, and the
// others would end the process. What is for the container comes on top where
// signals are passed on to it; c is nil as long as it is not known.
func Signals(c *spec.Container) []os.Signal {
	signals := []os.Signal{syscall.SIGHUP, syscall.SIGABRT, syscall.SIGUSR1, syscall.SIGUSR2}
	if c != nil && c.Run != nil && c.Run.ForwardSignals {
		signals = append(signals, syscall.SIGQUIT, syscall.SIGWINCH)
	}
	return signals
}

// dropSignals forgets what came before there was a container: once that is
// ready, none may be lost.
func (s *Supervisor) dropSignals() {
	for len(s.Signals) > 0 {
		<-s.Signals
	}
}

// signalled does what a signal asks for.
func (s *Supervisor) signalled(ctx context.Context, id string, sig os.Signal) {
	number, _ := sig.(syscall.Signal)
	name := unix.SignalName(number)
	switch {
	case number == syscall.SIGHUP && (s.spec.Reload != nil || s.forwards() && s.life.phase == phaseRunning):
		s.reload(ctx, id)
	case s.forwards():
		go func() {
			if err := s.Engine.Kill(ctx, id, name); err != nil {
				s.Log.Warn("signal not passed on", zap.Error(err))
			}
		}()
	default:
		s.Log.Info("ignoring a signal that nothing is set up for (see x-dockhost.reload)", zap.String("signal", name))
	}
}

// forwards says whether signals are passed on to the container.
func (s *Supervisor) forwards() bool { return s.spec.Run != nil && s.spec.Run.ForwardSignals }

// reloadBy is how the container reloads: by the signal itself where signals
// are passed on, so that a unit of Type=notify-reload needs nothing else.
func (s *Supervisor) reloadBy() *spec.Reload {
	if s.spec.Reload == nil {
		return &spec.Reload{Signal: "SIGHUP"}
	}
	return s.spec.Reload
}

// reload has the container take over a new configuration. One that is asked
// for meanwhile follows.
func (s *Supervisor) reload(ctx context.Context, id string) {
	switch {
	case s.life.phase != phaseRunning:
		s.Log.Info("ignoring a reload: the container is not ready", zap.String("phase", string(s.life.phase)))
		return
	case s.reloading:
		s.reloadAgain = true
		return
	}
	s.reloading = true
	s.Notify.Reloading("reloading: " + describeReload(s.reloadBy()))
	s.Log.Info("reloading the container")
	go func() {
		err := s.runReload(ctx, id)
		s.call(ctx, func() { s.reloaded(ctx, id, err) })
	}()
}

// describeReload leaves out the command, which may hold a secret.
func describeReload(r *spec.Reload) string {
	if r.Signal != "" {
		return "sending signal " + r.Signal + " to the container"
	}
	return "running the reload command in the container"
}

// runReload returns when the container has reloaded, as far as it tells.
func (s *Supervisor) runReload(ctx context.Context, id string) error {
	timeout := reloadTimeout
	if unit, err := s.Units.Unit(ctx, s.unit); err == nil && unit.TimeoutStart > 0 {
		timeout = unit.TimeoutStart
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	wait := s.readiness.reloading()
	by := s.reloadBy()
	if signal := by.Signal; signal != "" {
		if err := s.Engine.Kill(ctx, id, signal); err != nil {
			return err
		}
		wait(ctx)
		return ctx.Err()
	}
	var out lastLine
	code, err := s.Engine.Exec(ctx, id, by.Exec, &out)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the command has not ended within %s", timeout)
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("the command exited with %d: %s", code, out.String(s.env))
	}
	return nil
}

// reloaded says how a reload ended. systemd is told that the service is ready
// in any case: it knows no reload that failed, and would wait for one.
func (s *Supervisor) reloaded(ctx context.Context, id string, err error) {
	s.reloading = false
	if s.life.phase != phaseRunning {
		return // it is being stopped
	}
	if err != nil {
		err = fmt.Errorf("reload the container: %w", err)
		s.Log.Error("reload failed", zap.Error(err))
		s.failed(err)
	} else {
		s.Log.Info("container reloaded")
		if s.reloadFailed {
			s.state.LastError = nil
			s.saveState()
		}
	}
	s.reloadFailed = err != nil
	s.Notify.Ready(s.runningStatus())
	if s.reloadAgain {
		s.reloadAgain = false
		s.reload(ctx, id)
	}
}

// failed keeps an error for status, of a container that goes on.
func (s *Supervisor) failed(err error) {
	s.state.LastError = &rundir.Failure{At: time.Now(), Message: err.Error()}
	s.saveState()
}
