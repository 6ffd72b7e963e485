package agent

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// deployer puts assignments in force: it saves what is accepted, and then has the
// units run it. It makes one change at a time.
type deployer struct {
	mu    sync.Mutex
	store *store
	units *containerUnits
	waits waits
	boot  *boot
	stops *stops
	// report is called when the status line changes.
	report func()
	// changed is called when other containers are in force, unsaved when they could not
	// be saved.
	changed, unsaved func()
	// stopsChanged is called when someone has stopped or started containers.
	stopsChanged func()
	log          *zap.Logger
}

// deploy saves the accepted assignment of a plan, if it can, begins to stop the units of containers
// that are not assigned any more, and runs its current containers. Containers with a
// successor are left as they are.
func (d *deployer) deploy(ctx context.Context, p plan) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.changed()
	d.noticeStops(ctx)
	inForce := d.store.snapshot().accepted
	if err := d.store.save(inForce); err != nil {
		d.log.Error("the assignment is in force, but not saved for the next boot; trying that again", zap.Error(err))
		d.unsaved()
	}
	return errors.Join(
		d.units.writeLogins(inForce.Assignment.Registries),
		d.retire(ctx, inForce),
		d.apply(ctx, p.current),
	)
}

// replace puts a successor in force. If an error comes after it was saved, it is in force
// and does not run yet.
func (d *deployer) replace(ctx context.Context, next hashed) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.changed()
	draft := d.store.withSuccessor(next.Container)
	if err := d.store.save(draft); err != nil {
		return err
	}
	d.store.setInForce(draft)
	d.report()
	if err := d.units.apply(ctx, next); err != nil {
		return err
	}
	if err := d.sweepMounts(ctx, draft); err != nil {
		d.log.Warn("old mounts not removed", zap.Error(err))
	}
	return nil
}

// ensureRunning starts a container that is in force, unless it runs.
func (d *deployer) ensureRunning(ctx context.Context, c *spec.Container) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.units.apply(ctx, withHash(c))
}

// declare saves a container that dockhostctl run declared. It is in force at once
// when it is new or unchanged. Otherwise it is pending, and replaces says that the
// caller has to roll it out.
func (d *deployer) declare(ctx context.Context, next hashed) (replaces bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	draft := d.store.draft()
	draft.Local = put(draft.Local, *next.Container)
	delete(draft.Stopped, next.Name)
	old := draft.container(next.Name)
	replaces = old != nil && old.Unpinned().Hash() != next.hash
	if old != nil && !replaces && old.Pin != nil {
		pinned := *next.Container
		pinned.Pin = old.Pin
		next = hashed{Container: &pinned, hash: pinned.Hash(), again: next.again}
	}
	if !replaces {
		draft.Assignment.Containers = put(draft.Assignment.Containers, *next.Container)
	}
	if err := d.store.save(draft); err != nil {
		return false, err
	}
	if replaces {
		d.store.setDeclared(draft, next.Container)
		return true, nil
	}
	d.store.setAccepted(draft, next.Name)
	d.report()
	return false, d.apply(ctx, []hashed{next})
}

// forget drops what dockhostctl run declared under a name, and begins to stop its unit. A
// container that is declared elsewhere, too, keeps running, and the stop is nil.
func (d *deployer) forget(ctx context.Context, name string, elsewhere bool) (*retirement, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer d.changed()
	draft := d.store.draft()
	shadowed := draft.origin(name) != api.OriginLocal
	draft.forget(name)
	draft.dropOldStops()
	if err := d.store.save(draft); err != nil {
		return nil, err
	}
	d.store.setForgotten(draft, name, shadowed)
	if elsewhere {
		return nil, nil //nolint:nilnil // nothing stops
	}
	return d.retireContainer(ctx, name)
}

// restore writes the files of the containers in force again that someone has removed
// or changed. Those that wait for the stop of others have none yet.
func (d *deployer) restore(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.boot.restore()
	stored := d.store.snapshot()
	if stored.accepted == nil {
		return nil
	}
	started := stored.accepted.Assignment
	started.Containers = slices.DeleteFunc(slices.Clone(started.Containers), func(c spec.Container) bool { return d.waits.of(c.Name) != "" })
	err := d.units.restore(ctx, &started)
	if stored.source.Datasource != "" {
		err = errors.Join(err, d.units.dir.SetFetched())
	}
	return err
}

// undisturbed calls work while no other containers are put in force.
func (d *deployer) undisturbed(work func() error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return work()
}
