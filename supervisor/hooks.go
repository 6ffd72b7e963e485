package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// hookEngine runs hooks.
type hookEngine interface {
	RunHook(ctx context.Context, id string, hook engine.Hook, out io.Writer) (int, error)
}

// runHooks runs commands in the container, one after the other, and stops at the
// first that fails. The error does not name the command, which may have a secret.
func runHooks(ctx context.Context, docker hookEngine, id, key string, hooks []spec.Hook) error {
	for i, hook := range hooks {
		var out lastLine
		code, err := docker.RunHook(ctx, id, engine.Hook(hook), &out)
		switch {
		case err != nil:
			return fmt.Errorf("%s[%d]: %w", key, i, err)
		case code != 0:
			return fmt.Errorf("%s[%d] exited with %d: %s", key, i, code, out.String(hook.Env))
		}
	}
	return nil
}

// postStart runs the hooks after the start, before the container is ready. Its
// failure ends the container.
func (f *follower) postStart(ctx context.Context) (succeeded bool) {
	if len(f.container.PostStart) == 0 {
		return true
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() { // a stop does not wait for the hooks
		select {
		case <-f.inbox.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	f.report.notify.Status("running post_start in the container")
	err := runHooks(ctx, f.engine, f.running.id, "post_start", f.container.PostStart)
	if err != nil && !f.inbox.stopRequested() {
		f.inbox.endContainer(err)
	}
	return err == nil
}

// runPreStop runs the hooks if Docker answers.
func (s *stopper) runPreStop(ctx context.Context, id string) error {
	ping, cancel := context.WithTimeout(ctx, s.patience())
	defer cancel()
	if err := s.engine.Ping(ping); err != nil {
		return err
	}
	return runHooks(ctx, s.engine, id, "pre_stop", s.container.PreStop)
}

// preStop runs the hooks before the stop, within the grace period, and returns what
// is left of it. Their failure does not stop the stop.
func (s *stopper) preStop(ctx context.Context, id string, grace time.Duration) time.Duration {
	if len(s.container.PreStop) == 0 {
		return grace
	}
	began := time.Now()
	if grace >= 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, grace)
		defer cancel()
	}
	if err := s.runPreStop(ctx, id); err != nil && !errors.Is(err, engine.ErrConflict) {
		s.log.Warn("pre_stop failed, stopping the container", zap.Error(err))
	}
	if grace < 0 {
		return grace
	}
	return max(grace-time.Since(began), time.Second)
}
