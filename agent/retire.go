package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
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
