package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
	settings "github.com/dockhost/dockhost/spec/update"
)

// retire begins to stop the units of containers that are not assigned, and the mounts that
// none of the others needs. The caller holds mu.
func (d *deployer) retire(ctx context.Context, inForce *accepted) error {
	names, err := d.units.retired(ctx, inForce)
	errs := []error{err}
	for _, name := range names {
		_, err := d.retireContainer(ctx, name)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, d.sweepMounts(ctx, inForce))...)
}

// apply runs containers. One that needs what a container that is being stopped still has, such
// as its port or its volume, runs once that one has stopped. The caller holds mu.
func (d *deployer) apply(ctx context.Context, containers []hashed) error {
	var now []hashed
	for _, c := range containers {
		holders := d.holders(c.Container)
		if len(holders) == 0 {
			now = append(now, c)
			continue
		}
		waits := d.waits.begin(c.Name, holders)
		go func() {
			defer d.waits.end(c.Name, waits)
			d.await(ctx, c.Container)
			d.mu.Lock()
			defer d.mu.Unlock()
			if old := d.store.container(c.Name); ctx.Err() != nil || old == nil || old.Hash() != c.hash {
				return
			}
			if err := d.units.apply(ctx, c); err != nil && ctx.Err() == nil {
				d.log.Error("container not started (run: systemctl reload dockhost)", zap.String("container", c.Name), zap.Error(err))
				d.store.addProblem(fmt.Errorf("start container %s: %w (run: systemctl reload dockhost)", c.Name, err))
			}
			d.changed()
		}()
	}
	return d.units.apply(ctx, now...)
}

// holder is a container that is being stopped, and still has what another one needs.
type holder struct {
	name string
	stop *retirement
	// contended says what both need, a phrase for each.
	contended []string
}

// holders returns the containers that still have what a container needs, sorted by name.
func (d *deployer) holders(c *spec.Container) []holder {
	var holders []holder
	for unit, stop := range d.units.retirer.all() {
		name, isContainer := spec.ContainerName(unit)
		if !isContainer || name == c.Name {
			continue
		}
		if old, err := d.units.dir.Container(name); err == nil {
			if contended := settings.Contended(old, c); len(contended) > 0 {
				holders = append(holders, holder{name, stop, contended})
			}
		}
	}
	slices.SortFunc(holders, func(a, b holder) int { return strings.Compare(a.name, b.name) })
	return holders
}

// await returns when others have stopped, which have what a container needs.
func (d *deployer) await(ctx context.Context, c *spec.Container) {
	for _, h := range d.holders(c) {
		d.log.Info("waiting for the stop of a container that has what this one needs",
			zap.String("container", c.Name), zap.String("stopping", h.name), zap.Strings("needs", h.contended))
		_ = h.stop.wait(ctx) // whatever became of it: Docker tells if something is missing
	}
}

// retireContainer begins to stop the unit of a container that is not assigned. Its files
// are removed once it has stopped.
func (d *deployer) retireContainer(ctx context.Context, name string) (*retirement, error) {
	unit := spec.UnitName(name)
	if !d.units.retirer.has(unit) {
		journal.Stopping.Say(d.log, "stopping a container that is not assigned any more", zap.String("container", name))
	}
	return d.units.retirer.begin(ctx, unit, func(ctx context.Context, current func() bool) error { return d.endContainer(ctx, name, current) })
}

// endContainer removes what is left of a container whose unit has stopped, unless it is
// assigned again.
func (d *deployer) endContainer(ctx context.Context, name string, current func() bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !current() {
		return errStarted
	}
	defer d.changed()
	if err := d.units.forgetFailure(ctx, spec.UnitName(name)); err != nil {
		return err
	}
	return d.units.removeFiles(name)
}

// sweepMounts begins to unmount what no container in force needs. The caller holds mu.
func (d *deployer) sweepMounts(ctx context.Context, inForce *accepted) error {
	unneeded, err := d.units.mounts.unneeded(inForce.Assignment.Containers)
	errs := []error{err}
	for _, path := range unneeded {
		unit := filepath.Base(path)
		if !d.units.retirer.has(unit) {
			d.log.Info("stopping a mount that is not assigned any more", zap.String("unit", unit))
		}
		_, err := d.units.retirer.begin(ctx, unit, func(ctx context.Context, current func() bool) error { return d.endMount(ctx, path, current) })
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// endMount removes the unit of a mount that has ended, unless a container needs it again.
func (d *deployer) endMount(ctx context.Context, path string, current func() bool) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if accepted := d.store.snapshot().accepted; !current() || accepted == nil || d.units.mounts.needs(accepted.Assignment.Containers)[path] {
		return nil
	}
	if err := d.units.forgetFailure(ctx, filepath.Base(path)); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("remove a mount unit: %w", err)
	}
	return nil
}
