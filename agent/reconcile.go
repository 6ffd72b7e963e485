package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// stopTimeout bounds the wait for a unit that is no longer assigned.
const stopTimeout = 5 * time.Minute

// reconcile reads what the host is to run and makes systemd run it. A
// container that is new, or as it was, is put in force at once; one that is to
// be replaced is replaced when all that its successor needs is there. What
// goes on after the return is returned; it ends with ctx.
func (a *Agent) reconcile(ctx context.Context) rollouts {
	t := a.readTarget(ctx)
	force, changed := merge(t)
	a.setTarget(t.source, force, changed)
	underWay := rollouts{}
	if force == nil {
		return underWay
	}
	a.logRefused("declaration not in force", force.clashes())
	if err := a.putInForce(ctx, force, changed); err != nil {
		a.Log.Error("assignment not in force", zap.Error(err))
		a.addProblem(err)
	}
	for _, next := range changed {
		underWay.start(ctx, next.Name, func(ctx context.Context) { a.rollout(ctx, next) })
	}
	return underWay
}

// merge decides what is in force from now on: what is asked for, but for the
// containers that replace another one, which are returned apart.
func merge(t target) (*accepted, []*spec.Container) {
	if t.next == nil {
		return t.kept, nil
	}
	force := *t.next
	force.Assignment.Containers = slices.Clone(t.next.Assignment.Containers)
	var changed []*spec.Container
	for i := range force.Assignment.Containers {
		next := &t.next.Assignment.Containers[i]
		if old := t.kept.container(next.Name); old != nil && old.Hash() != next.Hash() {
			force.Assignment.Containers[i] = *old
			changed = append(changed, next)
		}
	}
	return &force, changed
}

// putInForce keeps an assignment, and has the units stopped that are not
// assigned and those started that are not up. What is about to be replaced is
// left as it is.
func (a *Agent) putInForce(ctx context.Context, force *accepted, changed []*spec.Container) error {
	a.force.Lock()
	defer a.force.Unlock()
	errs := []error{a.store.save(force)}
	errs = append(errs, a.writeLogins(force.Assignment.Registries), a.stopUnassigned(ctx, force), a.sweepMounts(ctx, force))
	var settled []*spec.Container
	for i := range force.Assignment.Containers {
		c := &force.Assignment.Containers[i]
		if !slices.ContainsFunc(changed, func(next *spec.Container) bool { return next.Name == c.Name }) {
			settled = append(settled, c)
		}
	}
	errs = append(errs, a.apply(ctx, settled...))
	return errors.Join(errs...)
}

// writeLogins hands the registry logins to the supervisors, as a Docker
// config.json that is root's alone.
func (a *Agent) writeLogins(registries map[string]spec.Registry) error {
	logins := make(map[string]engine.Login, len(registries))
	for host, r := range registries {
		logins[host] = engine.Login(r)
	}
	var config bytes.Buffer
	if err := engine.WriteLogins(&config, logins); err != nil {
		return fmt.Errorf("write registry logins: %w", err)
	}
	dir := a.Dir.LoginsDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write registry logins: %w", err)
	}
	if err := atomicfile.Write(filepath.Join(dir, "config.json"), config.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write registry logins: %w", err)
	}
	return nil
}

// stopUnassigned stops what runs and is not assigned, all at the same time,
// and forgets it.
func (a *Agent) stopUnassigned(ctx context.Context, force *accepted) error {
	names, err := a.Dir.Containers()
	if err != nil {
		return err
	}
	up, err := a.Units.Units(ctx, spec.UnitName("*"))
	if err != nil {
		return err
	}
	for _, unit := range up {
		if name, found := spec.ContainerName(unit); found && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	var group errgroup.Group
	for _, name := range names {
		if force.container(name) == nil {
			group.Go(func() error { return a.retire(ctx, name) })
		}
	}
	return group.Wait()
}

func (a *Agent) retire(ctx context.Context, name string) error {
	a.Log.Info("stopping a container that is no longer assigned", zap.String("container", name))
	if err := a.Units.Stop(ctx, spec.UnitName(name)); err != nil && !errors.Is(err, systemd.ErrNoUnit) {
		return err
	}
	return errors.Join(a.Dir.RemoveContainer(name), a.dropIns.remove(name))
}

// apply makes the units of containers run them: started where they are not up,
// restarted where they run something else, and left alone otherwise. Unit
// settings alone need no restart: systemd takes them over when it reloads.
func (a *Agent) apply(ctx context.Context, containers ...*spec.Container) error {
	version, err := a.Units.Version(ctx)
	if err != nil {
		return err
	}
	rewritten := make([]bool, len(containers))
	reload := false
	var settings []string // units whose drop-in has changed
	for i, c := range containers {
		before, err := a.Dir.Container(c.Name)
		rewritten[i] = err != nil || before.Hash() != c.Hash()
		if err := a.Dir.WriteContainer(c); err != nil {
			return err
		}
		mounts, err := mountUnits{a.Root}.write(c, a.stopMount(ctx))
		if err != nil {
			return err
		}
		changed, err := a.dropIns.write(c, version)
		if err != nil {
			return err
		}
		reload = reload || mounts
		if changed {
			settings = append(settings, spec.UnitName(c.Name))
		}
	}
	if err := a.reload(ctx, reload, settings); err != nil {
		return err
	}
	var errs []error
	for i, c := range containers {
		errs = append(errs, a.applyUnit(ctx, c, rewritten[i]))
	}
	return errors.Join(errs...)
}

// reload has systemd read the unit files again if it must, or if one of these
// units is loaded. In a boot none is: every generator would run once more, for
// drop-ins that systemd reads anyway when the units are started.
func (a *Agent) reload(ctx context.Context, must bool, units []string) error {
	if !must && len(units) > 0 {
		loaded, err := a.Units.Loaded(ctx, spec.UnitName("*"))
		if err != nil {
			return err
		}
		must = slices.ContainsFunc(units, func(unit string) bool { return slices.Contains(loaded, unit) })
	}
	if !must {
		return nil
	}
	return a.Units.Reload(ctx)
}

func (a *Agent) applyUnit(ctx context.Context, c *spec.Container, rewritten bool) error {
	name := spec.UnitName(c.Name)
	unit, err := a.Units.Unit(ctx, name)
	if err != nil {
		return err
	}
	if !unit.Active() {
		if state, err := a.Dir.State(c.Name); err == nil && state.ConfigHash == c.Hash() && state.Finished() {
			return nil
		}
		a.Log.Info("starting container", zap.String("container", c.Name), zap.String("image", c.Image))
		return a.Units.Start(ctx, name)
	}
	state, err := a.Dir.State(c.Name)
	// Without a state the supervisor is only just starting: it may or may not
	// have read what was written.
	if (err == nil && state.ConfigHash == c.Hash()) || (err != nil && !rewritten) {
		return nil
	}
	a.Log.Info("restarting container", zap.String("container", c.Name), zap.String("image", c.Image))
	return a.Units.Restart(ctx, name)
}
