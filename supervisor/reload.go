package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/spec"
)

// reloadTimeout bounds a reload where the unit has no start timeout.
const reloadTimeout = 5 * time.Minute

// forwardsSignals says whether the supervisor forwards signals to the container.
func forwardsSignals(c *spec.Container) bool {
	return c != nil && c.Run != nil && c.Run.ForwardSignals
}

// reloadEngine sends signals and runs commands in a container.
type reloadEngine interface {
	Kill(ctx context.Context, id, signal string) error
	Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error)
}

// reloader reloads the container and forwards signals to it. Each reload runs in
// its own goroutine.
type reloader struct {
	engine    reloadEngine
	container *spec.Container
	unit      *unit
	report    *reporter
	inbox     *inbox
	log       *zap.Logger
	// readiness and env are set before the container starts. env are its
	// variables, whose values are kept out of messages.
	readiness readiness
	env       []string
	// running says that a reload runs, again that another one follows it.
	running, again bool
}

// signalled handles a signal that does not end the supervisor.
func (r *reloader) signalled(ctx context.Context, id string, sig os.Signal) {
	name, forwards := signalName(sig), forwardsSignals(r.container)
	switch {
	case sig == syscall.SIGHUP && (r.container.Reload != nil || forwards && r.report.life.phase == phaseRunning):
		r.reload(ctx, id)
	case forwards:
		go func() {
			if err := r.engine.Kill(ctx, id, name); err != nil {
				r.log.Warn("signal not forwarded", zap.Error(err))
			}
		}()
	default:
		r.log.Info("ignoring a signal that nothing is set up for (see x-dockhost.reload)", zap.String("signal", name))
	}
}

// method returns how the container reloads. Where signals are forwarded and
// nothing is declared, SIGHUP itself is the reload, so that a unit of
// Type=notify-reload needs no more.
func (r *reloader) method() *spec.Reload {
	if r.container.Reload == nil {
		return &spec.Reload{Signal: "SIGHUP"}
	}
	return r.container.Reload
}

// reload begins a reload. Requests that come during a reload lead to one more.
func (r *reloader) reload(ctx context.Context, id string) {
	switch {
	case r.report.life.phase != phaseRunning:
		r.log.Info("ignoring a reload: the container is not ready", zap.String("phase", string(r.report.life.phase)))
		return
	case r.running:
		r.again = true
		return
	}
	r.running = true
	r.report.notify.Reloading("reloading: " + describeReload(r.method()))
	r.log.Info("reloading the container")
	go func() {
		err := r.run(ctx, id)
		r.inbox.do(ctx, func() { r.ended(ctx, id, err) })
	}()
}

// describeReload does not name the command, which may contain a secret.
func describeReload(reload *spec.Reload) string {
	if reload.Signal != "" {
		return "sending signal " + reload.Signal + " to the container"
	}
	return "running the reload command in the container"
}

// run returns when the container has reloaded, as far as the container tells.
func (r *reloader) run(ctx context.Context, id string) error {
	timeout := reloadTimeout
	if properties, err := r.unit.read(ctx); err == nil && properties.TimeoutStart > 0 {
		timeout = properties.TimeoutStart
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	wait := r.readiness.reloading()
	method := r.method()
	if method.Signal != "" {
		if err := r.engine.Kill(ctx, id, method.Signal); err != nil {
			return err
		}
		wait(ctx)
		return ctx.Err()
	}
	var out lastLine
	code, err := r.engine.Exec(ctx, id, method.Exec, &out)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the command has not ended within %s", timeout)
	case err != nil:
		return err
	case code != 0:
		return fmt.Errorf("the command exited with %d: %s", code, out.String(r.env))
	}
	return nil
}

// ended reports the end of a reload. systemd gets READY=1 in any case: its
// protocol has no failed reload, and it would wait.
func (r *reloader) ended(ctx context.Context, id string, err error) {
	r.running = false
	if r.report.life.phase != phaseRunning {
		return // it is being stopped
	}
	if err != nil {
		err = fmt.Errorf("reload the container: %w", err)
		r.log.Error("reload failed", zap.Error(err))
		r.report.recordFailure(fromOutside(err))
	} else {
		r.log.Info("container reloaded")
		if r.report.condition.reloadFailed {
			r.report.state.LastError = nil
			r.report.save()
		}
	}
	r.report.condition.reloadFailed = err != nil
	r.report.notify.Ready(r.report.status())
	if r.again {
		r.again = false
		r.reload(ctx, id)
	}
}
