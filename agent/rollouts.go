package agent

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/backoff"
)

// rollouts replace containers by their successors, each in its own goroutine.
// Only the goroutine that reconciles starts and stops them.
type rollouts struct {
	preparer *preparer
	deployer *deployer
	store    *store
	// report is called when the status line changes.
	report func()
	// cures has a rollout tried again when what it failed for has changed.
	cures *cures
	log   *zap.Logger

	// running has the rollouts by the name of the container.
	running map[string]rollout
}

// rollout is one that runs, or has ended by itself.
type rollout struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func newRollouts(preparer *preparer, deployer *deployer, store *store, report func(), log *zap.Logger) *rollouts {
	return &rollouts{preparer: preparer, deployer: deployer, store: store, report: report, log: log, running: map[string]rollout{}}
}

// start begins to roll out a successor. It ends with ctx.
func (r *rollouts) start(ctx context.Context, next hashed) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	r.running[next.Name] = rollout{cancel: cancel, done: done}
	go func() {
		defer close(done)
		defer cancel()
		r.run(ctx, next)
	}()
}

// stop cancels the rollouts of the given names, or all, and returns when they have
// ended.
func (r *rollouts) stop(names ...string) {
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(r.running))
	}
	for _, name := range names {
		if one, isRunning := r.running[name]; isRunning {
			one.cancel()
		}
	}
	for _, name := range names {
		if one, isRunning := r.running[name]; isRunning {
			<-one.done
			delete(r.running, name)
		}
	}
}

// run replaces a container by its successor once all that the successor needs is
// there. Until then the old container is in force: it keeps running, or is started.
// Every error is retried: the image may be pushed later, the port may become free.
// It returns when the successor is in force, or ctx ends.
func (r *rollouts) run(ctx context.Context, next hashed) {
	log := r.log.With(zap.String("container", next.Name), zap.String("image", next.Image))
	tries := backoff.Backoff{Next: time.Second, Cap: 5 * time.Minute}
	logged := ""
	for {
		old := r.store.container(next.Name)
		err := r.preparer.prepare(ctx, old, next.Container)
		if err == nil {
			err = r.deployer.replace(ctx, next)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if err.Error() != logged {
			logged = err.Error()
			log.Error("container not replaced, the old one stays", zap.Error(err))
		}
		r.store.setPending(next.Container, "trying again", err)
		r.report()
		if startErr := r.deployer.ensureRunning(ctx, old); startErr != nil {
			log.Error("old container not started", zap.Error(startErr))
		}
		if r.pause(ctx, next.Name, tries.Step(), err) != nil {
			return
		}
	}
}

// pause returns nil after a time, or when what a rollout failed for has changed. It
// returns the cause of ctx if that ends first.
func (r *rollouts) pause(ctx context.Context, name string, limit time.Duration, why error) error {
	cured, done := r.cures.await(name, why)
	defer done()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-cured:
	case <-timer.C:
	}
	return nil
}
