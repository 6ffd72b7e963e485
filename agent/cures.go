package agent

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// curePause is the shortest time between two tries of the same thing.
const curePause = 5 * time.Second

// errStopped means that someone has stopped the unit.
var errStopped = errors.New("the unit is stopped")

// cures try again at once what has failed, when something changes that it failed for:
// the units of containers, rollouts, and the fetch of the user data. What is not
// observed, such as a registry that works again, keeps its wait. While nothing has
// failed, nothing is watched.
type cures struct {
	dir     rundir.Dir
	store   *store
	fetcher *fetcher
	units   unitManager
	// undisturbed calls work while no other containers are put in force, nor any stopped.
	undisturbed func(work func() error) error
	senses      *senses
	log         *zap.Logger

	// looks receives when something may have failed, or works again.
	looks chan struct{}

	mu sync.Mutex
	// rollouts are those that wait for the next try, by the name of the container.
	rollouts map[string]*failure

	// failing says that there are failures.
	failing atomic.Bool

	// failures are what has failed, retried when a cure last caused another try of each.
	// Only the goroutine of run uses them.
	failures map[string]*failure
	retried  map[string]time.Time
}

// failure is something that failed, and is tried again later.
type failure struct {
	// at is when it failed.
	at    time.Time
	cures []cure.Cure
	// waits reports whether it waits for the next try. Otherwise it is just being tried.
	waits bool
	retry func(ctx context.Context) error

	// seen is what each cure looked like at the failure, before what it looked like at
	// the failure of the try before.
	seen, before map[cure.Cure]string
}

func newCures(o Options, dir rundir.Dir, a *Agent) *cures {
	return &cures{
		dir: dir, store: a.store, fetcher: a.fetcher, units: o.Units, undisturbed: a.deployer.undisturbed, log: o.Log,
		senses: newSenses(o, a.house), looks: make(chan struct{}, 1),
		rollouts: map[string]*failure{}, failures: map[string]*failure{}, retried: map[string]time.Time{},
	}
}

// look has the failures looked at again.
func (c *cures) look() {
	select {
	case c.looks <- struct{}{}:
	default:
	}
}

// lookAgain is look, unless nothing has failed.
func (c *cures) lookAgain() {
	if c.failing.Load() {
		c.look()
	}
}

// await registers a rollout that failed, until done is called. The channel receives
// when it should be tried again.
func (c *cures) await(name string, err error) (cured <-chan struct{}, done func()) {
	again := make(chan struct{}, 1)
	f := &failure{at: time.Now(), cures: cure.Of(err), waits: true, retry: func(context.Context) error {
		select {
		case again <- struct{}{}:
		default:
		}
		return nil
	}}
	c.mu.Lock()
	c.rollouts[name] = f
	c.mu.Unlock()
	c.look()
	return again, func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.rollouts[name] == f {
			delete(c.rollouts, name)
		}
		c.look()
	}
}

// run tries again what is cured, until ctx ends.
func (c *cures) run(ctx context.Context) {
	defer c.senses.rest()
	for {
		c.refresh()
		c.senses.attend(ctx, c.needed(), c.oldest())
		next := c.treat(ctx)
		select {
		case <-ctx.Done():
			return
		case <-c.looks:
		case <-c.senses.changed:
		case <-next:
		}
	}
}

// refresh collects what has failed. A failure that is known keeps what was seen.
func (c *cures) refresh() {
	current := map[string]*failure{}
	for _, name := range c.store.names() {
		if f := c.unitFailure(name); f != nil {
			current["unit "+name] = f
		}
	}
	c.mu.Lock()
	for name, f := range c.rollouts {
		current["rollout "+name] = f
	}
	c.mu.Unlock()
	if f := c.fetchFailure(); f != nil {
		current["user data"] = f
	}
	for key, f := range current {
		switch known := c.failures[key]; {
		case known == nil || known == f:
		case known.at.Equal(f.at):
			f.seen, f.before = known.seen, known.before
		default:
			f.before = known.seen
		}
	}
	maps.DeleteFunc(c.retried, func(_ string, at time.Time) bool { return time.Since(at) > curePause })
	c.failures = current
	c.failing.Store(len(current) > 0)
}

// unitFailure returns the failure of a container in force, nil if it has none that
// something may cure.
func (c *cures) unitFailure(name string) *failure {
	state, err := c.dir.State(name)
	if err != nil || c.store.stop(name) != nil || state.Ready || state.LastError == nil || len(state.LastError.Cures) == 0 || state.EndedForGood() {
		return nil
	}
	return &failure{
		at: state.LastError.At, cures: state.LastError.Cures, waits: state.Phase == "ended" || !state.NextTry.IsZero(),
		retry: func(ctx context.Context) error {
			return c.undisturbed(func() error { return c.retryUnit(ctx, name) })
		},
	}
}

// retryUnit has systemd start a unit now that it would start later. A unit that someone
// has stopped, or that nothing assigns any more, stays so.
func (c *cures) retryUnit(ctx context.Context, name string) error {
	if c.store.container(name) == nil || c.store.stop(name) != nil {
		return errStopped
	}
	unit, err := c.units.Unit(ctx, spec.UnitName(name))
	if err != nil {
		return err
	}
	if !unit.Active() && unit.ActiveState != "failed" {
		return errStopped
	}
	err = c.units.Retry(ctx, unit)
	if errors.Is(err, systemd.ErrConflict) {
		return errStopped
	}
	return err
}

// fetchFailure returns the failure of the fetch of user data from a service.
func (c *cures) fetchFailure() *failure {
	since, failed := c.fetcher.failed()
	if !failed {
		return nil
	}
	return &failure{at: since, cures: []cure.Cure{{Kind: cure.Network}}, waits: true, retry: c.fetcher.retry}
}

// needed returns the cures of all failures.
func (c *cures) needed() []cure.Cure {
	all := map[cure.Cure]bool{}
	for _, f := range c.failures {
		for _, one := range f.cures {
			all[one] = true
		}
	}
	return slices.Collect(maps.Keys(all))
}

// oldest returns when the first of the failures happened.
func (c *cures) oldest() time.Time {
	oldest := time.Now()
	for _, f := range c.failures {
		if f.at.Before(oldest) {
			oldest = f.at
		}
	}
	return oldest
}

// treat tries again what is cured. The channel receives when something that is cured
// may be tried again; it is nil if there is nothing.
func (c *cures) treat(ctx context.Context) (next <-chan time.Time) {
	soonest := time.Duration(0)
	for key, f := range c.failures {
		if f.seen == nil {
			f.seen = c.senses.atFailure(ctx, f)
		}
		reason := c.curedBy(ctx, f)
		if reason == nil || !f.waits {
			continue
		}
		if at, wasRetried := c.retried[key]; wasRetried && time.Since(at) < curePause {
			rest := curePause - time.Since(at)
			if soonest == 0 || rest < soonest {
				soonest = rest
			}
			continue
		}
		c.retried[key], f.seen = time.Now(), c.senses.now(ctx, f.cures)
		log := c.log.With(zap.String("what", key), zap.String("changed", string(reason.Kind)), zap.String("name", reason.Name))
		switch err := f.retry(ctx); {
		case err == nil:
			log.Info("trying again, because something has changed")
		case !errors.Is(err, errStopped):
			log.Warn("not tried again, although something has changed", zap.Error(err))
		}
	}
	if soonest > 0 {
		return time.After(soonest)
	}
	return nil
}

// curedBy returns what may have cured a failure, nil for nothing.
func (c *cures) curedBy(ctx context.Context, f *failure) *cure.Cure {
	for _, one := range f.cures {
		if isCure(one.Kind, f.seen[one], c.senses.sense(ctx, one)) {
			return &one
		}
	}
	return nil
}
