package agent

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// What the local API refuses, by kind.
var (
	errAssigned    = errors.New("declared elsewhere")
	errNoContainer = errors.New("no such container")
)

// change is what dockhostctl asks for: a container to be run, or to be
// forgotten.
type change struct {
	name string
	// container is nil when the one of that name is to be forgotten.
	container *spec.Container
	// by is the user who asks.
	by uint32
	// done gets the outcome. It has room for it.
	done chan error
}

// request has a change carried out once those before it are. A ctx that ends
// withdraws it, unless it has begun.
func (a *Agent) request(ctx context.Context, c change) error {
	c.done = make(chan error, 1)
	select {
	case a.changes <- c:
	case <-ctx.Done():
		return fmt.Errorf("wait for another change: %w", context.Cause(ctx))
	}
	return <-c.done
}

func (a *Agent) change(ctx context.Context, c change, underWay rollouts) error {
	log := a.Log.With(zap.String("container", c.name), zap.Uint32("by_uid", c.by))
	if c.container == nil {
		err := a.forget(ctx, c.name, underWay)
		if err == nil {
			log.Info("container forgotten")
		}
		return err
	}
	err := a.declare(ctx, c.container, underWay)
	if err == nil {
		log.Info("container declared", zap.String("image", c.container.Image))
	}
	return err
}

// declare keeps a container that is to run from now on, and has it run: at once
// when it is new, or as it was; when it replaces another one, as soon as all
// that it needs is there.
func (a *Agent) declare(ctx context.Context, c *spec.Container, underWay rollouts) error {
	if err := a.assignedElsewhere(c.Name, "change it there, or use another name"); err != nil {
		return err
	}
	underWay.stop(c.Name)
	a.force.Lock()
	defer a.force.Unlock()
	force := a.keptOrNew()
	force.Local = put(force.Local, *c)
	old := force.container(c.Name)
	replaces := old != nil && old.Hash() != c.Hash()
	if !replaces {
		force.Assignment.Containers = put(force.Assignment.Containers, *c)
	}
	if err := a.store.save(force); err != nil {
		a.resume(ctx, c.Name, underWay)
		return err
	}
	if !replaces {
		a.settle(force, c.Name)
		return a.apply(ctx, c)
	}
	a.setPendingAnew(force, c)
	underWay.start(ctx, c.Name, func(ctx context.Context) { a.rollout(ctx, c) })
	return nil
}

// resume goes on with a change that was stopped for another one, which could
// not be kept.
func (a *Agent) resume(ctx context.Context, name string, underWay rollouts) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.kept.local(name); c != nil && a.pending[name] != nil {
		underWay.start(ctx, name, func(ctx context.Context) { a.rollout(ctx, c) })
	}
}

// forget ends a container that dockhostctl run declared, and forgets it. One
// that the user data assigns as well goes on.
func (a *Agent) forget(ctx context.Context, name string, underWay rollouts) error {
	if err := a.checkForget(name); err != nil {
		return err
	}
	if a.assignedElsewhere(name, "") != nil {
		a.force.Lock()
		defer a.force.Unlock()
		return a.undeclare(name)
	}
	underWay.stop(name)
	a.force.Lock()
	defer a.force.Unlock()
	if err := a.undeclare(name); err != nil {
		a.resume(ctx, name, underWay)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return a.retire(ctx, name)
}

// checkForget returns an error where dockhostctl run declared nothing under a
// name, and nothing is left either of what was forgotten and could not be ended.
func (a *Agent) checkForget(name string) error {
	a.mu.Lock()
	local := a.kept.local(name)
	a.mu.Unlock()
	if local != nil {
		return nil
	}
	if err := a.assignedElsewhere(name, "take it out there"); err != nil {
		return err
	}
	if spec.CheckName(name) == nil {
		if _, err := a.Dir.Container(name); err == nil {
			return nil
		}
	}
	return fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name)
}

// undeclare forgets what dockhostctl run declared. The caller holds force.
func (a *Agent) undeclare(name string) error {
	force := a.keptOrNew()
	shadowed := force.origin(name) != api.OriginLocal
	force.forget(name)
	if err := a.store.save(force); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = force
	if !shadowed {
		delete(a.pending, name)
	}
	a.tellMoved()
	return nil
}

// keptOrNew returns a copy of what is kept, or where nothing is, something to
// keep for this host.
func (a *Agent) keptOrNew() *accepted {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept != nil {
		return a.kept.clone()
	}
	return a.newAccepted(a.source)
}

// setPendingAnew makes known what is kept, and what is to replace a container.
func (a *Agent) setPendingAnew(force *accepted, c *spec.Container) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept = force
	a.pending[c.Name] = &api.Pending{Image: c.Image, Doing: "waiting"}
	a.tellMoved()
}

// tellMoved wakes those who wait for what is pending or kept to change. The
// caller holds mu.
func (a *Agent) tellMoved() {
	close(a.moved)
	a.moved = make(chan struct{})
}

// assignedElsewhere returns an error where the user data or a file declares a
// container: what dockhostctl asks for does not count there.
func (a *Agent) assignedElsewhere(name, cure string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	d, declared := a.kept.declared(name)
	switch {
	case !declared || d.origin == api.OriginLocal:
		return nil
	case d.origin == api.OriginFile:
		return fmt.Errorf("container %q is %w, in %s: %s", name, errAssigned, d.by(), cure)
	case a.source.Path == "":
		return fmt.Errorf("container %q is %w, in the user data: %s", name, errAssigned, cure)
	}
	return fmt.Errorf("container %q is %w, in the user data (%s): %s", name, errAssigned, a.source.Path, cure)
}
