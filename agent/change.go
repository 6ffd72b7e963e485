package agent

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
)

// Reasons for which the local API refuses a change.
var (
	errDeclared    = errors.New("declared elsewhere")
	errNoContainer = errors.New("no such container")
)

// change is a request of dockhostctl to run a container, or to forget one.
type change struct {
	name string
	// container is nil to forget the one of that name.
	container *spec.Container
	// volumes removes the volumes of the container that is forgotten as well.
	volumes bool
	// by is the user who requests it.
	by string
	// done receives the outcome. It is buffered.
	done chan error
}

// change carries out a change, and hands its outcome to who requested it: at once, or when
// the unit of a container that is forgotten has stopped.
func (a *Agent) change(ctx context.Context, c change) {
	log := a.Log.With(zap.String("container", c.name), zap.String("by", byDockhostctl+" by "+c.by))
	if c.container == nil {
		a.forgetWith(ctx, c, log)
		return
	}
	err := a.declare(ctx, c.container)
	if err == nil {
		journal.Declared.Log(log, zap.String("to", c.container.Image))
	}
	c.done <- err
}

// forgetWith forgets a container, and removes its volumes if the change asks for it:
// also those of a container that was forgotten before.
func (a *Agent) forgetWith(ctx context.Context, c change, log *zap.Logger) {
	if c.volumes {
		if err := a.store.declaredElsewhere(c.name, "take it out there, then remove its volumes"); err != nil {
			c.done <- err
			return
		}
	}
	stop, err := a.forget(ctx, c.name)
	if err != nil || stop == nil {
		c.done <- a.forgotten(ctx, c, err, log)
		return
	}
	go func() {
		waiting, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		err := stop.wait(waiting)
		select {
		case a.finished <- func() { c.done <- a.forgotten(ctx, c, err, log) }:
		case <-ctx.Done():
			c.done <- context.Cause(ctx)
		}
	}()
}

// forgotten completes what forgetWith began, once the unit has stopped. What was declared
// again meanwhile keeps its volumes.
func (a *Agent) forgotten(ctx context.Context, c change, err error, log *zap.Logger) error {
	switch {
	case err == nil && a.store.container(c.name) != nil && c.volumes:
		return fmt.Errorf("%w: %q was declared again before it had stopped, so its volumes stay", errDeclared, c.name)
	case err == nil:
		journal.Forgotten.Log(log)
	case !c.volumes || !errors.Is(err, errNoContainer):
		return err
	default:
		if exist, listErr := a.volumes.exist(ctx, c.name); listErr != nil || !exist {
			return errors.Join(err, listErr)
		}
	}
	if !c.volumes {
		return nil
	}
	return a.volumes.remove(ctx, c.name)
}

// declare saves a container and runs it: at once when it is new or unchanged,
// or by a rollout when it replaces another one.
func (a *Agent) declare(ctx context.Context, c *spec.Container) error {
	if err := a.store.declaredElsewhere(c.Name, "change it there, or use another name"); err != nil {
		return err
	}
	a.updates.stop(c.Name)
	next := withHash(c)
	next.again = true
	replaces, err := a.deployer.declare(ctx, next)
	if err != nil {
		a.resume(ctx, c.Name)
		return err
	}
	if replaces {
		a.updates.start(ctx, next.Name, &next)
	} else {
		a.updates.start(ctx, next.Name, nil)
	}
	return nil
}

// resume continues the updates of a container that were stopped for a change, if the
// change could not be saved.
func (a *Agent) resume(ctx context.Context, name string) {
	if c := a.store.pendingLocal(name); c != nil {
		next := withHash(c)
		a.updates.start(ctx, name, &next)
	} else if a.store.container(name) != nil {
		a.updates.start(ctx, name, nil)
	}
}

// forget drops a container that dockhostctl run declared, and begins to stop it. One that
// is declared elsewhere, too, keeps running, and the stop is nil.
func (a *Agent) forget(ctx context.Context, name string) (*retirement, error) {
	if err := a.checkForget(name); err != nil {
		return nil, err
	}
	if a.store.declaredElsewhere(name, "") != nil {
		return a.deployer.forget(ctx, name, true)
	}
	a.updates.stop(name)
	stop, err := a.deployer.forget(ctx, name, false)
	if err != nil {
		a.resume(ctx, name)
		return nil, err
	}
	a.updates.forget(ctx, name)
	return stop, nil
}

// checkForget returns an error if dockhostctl run declared nothing under a name,
// and no container is left that was forgotten and could not be stopped.
func (a *Agent) checkForget(name string) error {
	if a.store.snapshot().accepted.local(name) != nil {
		return nil
	}
	if err := a.store.declaredElsewhere(name, "take it out there"); err != nil {
		return err
	}
	if spec.CheckName(name) == nil {
		if _, err := a.units.dir.Container(name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name)
}
