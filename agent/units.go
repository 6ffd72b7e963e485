package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// stopTimeout bounds how long a request waits for the stop of a unit.
const stopTimeout = 5 * time.Minute

// containerUnits writes what the units of containers need, and starts, restarts
// and stops them.
type containerUnits struct {
	dir     rundir.Dir
	systemd unitManager
	dropIns dropIns
	mounts  mountUnits
	// besides are the second containers, which are assigned by nobody else.
	besides *besides
	// stopped returns who has stopped a container, nil if nobody has.
	stopped func(name string) *api.Stopped
	// retirer stops what is not assigned any more.
	retirer *retirer
	log     *zap.Logger
}

// apply has the units of containers run them: it starts a unit that is not up,
// restarts one that runs something else, and leaves others alone. A change of unit
// settings needs no restart: systemd reads them when it reloads.
func (u *containerUnits) apply(ctx context.Context, containers ...hashed) error {
	version, err := u.systemd.Version(ctx)
	if err != nil {
		return err
	}
	template, err := u.dropIns.writeTemplate(version)
	if err != nil {
		return err
	}
	rewritten := make([]replaced, len(containers))
	reload := false
	var changed []string // units with another drop-in
	for i, c := range containers {
		files, err := u.write(c, version, u.stopMount(ctx))
		if err != nil {
			return err
		}
		rewritten[i] = replaced{files.declaration, files.why}
		reload = reload || files.mounts
		if files.dropIn || template {
			changed = append(changed, spec.UnitName(c.Name))
		}
	}
	if err := u.reload(ctx, reload, changed); err != nil {
		return err
	}
	var errs []error
	batch := &batch{log: u.log, alone: len(containers) == 1}
	for i, c := range containers {
		errs = append(errs, u.run(ctx, c, rewritten[i], batch))
	}
	batch.end()
	return errors.Join(errs...)
}

// written says which files of a container have changed.
type written struct {
	declaration, mounts, dropIn bool
	// why says what differs in the declaration; "" if it is the first, or the same.
	why string
}

// replaced is what has changed in the declaration on the disk.
type replaced struct {
	// changed says that it was another one before, or none.
	changed bool
	// why says what differs; "" for a first declaration.
	why string
}

// batch tells which units are started. Of several at once, as at boot, systemd and the
// line about the assignment tell enough.
type batch struct {
	log   *zap.Logger
	alone bool
	// started are the names of the containers that are told at the end.
	started []string
}

func (b *batch) starting(log *zap.Logger, name string) {
	if b.alone {
		journal.Starting.Log(log)
	} else {
		b.started = append(b.started, name)
	}
}

func (b *batch) end() {
	switch len(b.started) {
	case 0:
	case 1:
		journal.Starting.Log(b.log, zap.String("container", b.started[0]))
	default:
		b.log.Debug("starting containers", zap.Strings("containers", b.started))
	}
}

// write writes the files of a container, for a version of systemd. It calls stop
// before it changes a unit that may be mounted.
func (u *containerUnits) write(c hashed, version int, stop func(unit string) error) (written, error) {
	var files written
	old, err := u.dir.Container(c.Name)
	files.declaration = err != nil || old.Hash() != c.hash
	if err == nil && files.declaration {
		files.why = difference(old, c.Container)
	}
	if err := u.dir.WriteContainer(c.Container); err != nil {
		return files, err
	}
	if files.mounts, err = u.mounts.write(c.Container, u.stopped(c.Name) == nil, stop); err != nil {
		return files, err
	}
	files.dropIn, err = u.dropIns.write(u.withoutStopped(c.Container), version)
	return files, err
}

// withoutStopped returns a container whose start starts no other one that someone has
// stopped.
func (u *containerUnits) withoutStopped(c *spec.Container) *spec.Container {
	starts := *c
	starts.DependsOn = slices.Clone(c.DependsOn)
	for i := range starts.DependsOn {
		starts.DependsOn[i].Stopped = u.stopped(starts.DependsOn[i].Name) != nil
	}
	return &starts
}

// reload has systemd read the unit files again if it must, or if one of the units
// is loaded. At boot none is loaded: systemd reads their drop-ins when it starts
// them, and a reload would run every generator once more.
func (u *containerUnits) reload(ctx context.Context, must bool, units []string) error {
	if !must && len(units) > 0 {
		loaded, err := u.systemd.Loaded(ctx, spec.UnitName("*"))
		if err != nil {
			return err
		}
		must = slices.ContainsFunc(units, func(unit string) bool { return slices.Contains(loaded, unit) })
	}
	if !must {
		return nil
	}
	return u.systemd.Reload(ctx)
}

// run starts or restarts the unit of a container, if it has to.
func (u *containerUnits) run(ctx context.Context, c hashed, rewritten replaced, batch *batch) error {
	name := spec.UnitName(c.Name)
	unit, err := u.unit(ctx, c)
	if err != nil {
		return err
	}
	state, stateErr := u.dir.State(c.Name)
	if stateErr == nil && rewritten.changed && precedes(state, unit) {
		stateErr = fs.ErrNotExist // the supervisor that starts has not written one
	}
	if stateErr != nil && rewritten.changed && unit.Active() {
		// Both may have been removed by someone.
		state, stateErr = u.askState(ctx, c.Name)
	}
	current := stateErr == nil && state.ConfigHash == c.hash
	log := u.log.With(zap.String("container", c.Name), zap.String("image", c.Image))
	if u.retirer.drop(name) && u.stopped(c.Name) == nil {
		// It is assigned again before it has stopped.
		batch.starting(log, c.Name)
		return u.systemd.Restart(ctx, name)
	}
	if !unit.Active() {
		if current && !c.again && c.endedForGood(state, unit) || u.stopped(c.Name) != nil {
			return nil
		}
		batch.starting(log, c.Name)
		return u.systemd.Start(ctx, name)
	}
	// Without a state the supervisor is just starting. It may have read the
	// declaration before it was rewritten.
	if current || stateErr != nil && !rewritten.changed {
		return nil
	}
	if rewritten.why == "" {
		rewritten.why = "it does not run what is assigned"
	}
	journal.Restarting.Log(log, zap.String("why", rewritten.why))
	err = u.systemd.Restart(ctx, name)
	if errors.Is(err, systemd.ErrAway) {
		// It may have been restarted. Unit waits until systemd is back.
		if unit, unitErr := u.unit(ctx, c); unitErr == nil && !unit.Job {
			err = u.systemd.Restart(ctx, name)
		}
	}
	return err
}

// unit returns the unit of a container.
func (u *containerUnits) unit(ctx context.Context, c hashed) (systemd.Unit, error) {
	return u.systemd.Unit(ctx, spec.UnitName(c.Name))
}

// retired are the names of the containers that have files or units and are not assigned.
func (u *containerUnits) retired(ctx context.Context, assigned *accepted) ([]string, error) {
	names, err := u.dir.Containers()
	if err != nil {
		return nil, err
	}
	active, err := u.systemd.Units(ctx, spec.UnitName("*"))
	if err != nil {
		return nil, err
	}
	for _, unit := range active {
		if name, isOurs := spec.ContainerName(unit); isOurs && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return assigned.container(name) != nil || u.besides.has(name)
	}), nil
}

// removeFiles removes the files of a container whose unit has stopped.
func (u *containerUnits) removeFiles(name string) error {
	return errors.Join(u.dir.RemoveContainer(name), u.dir.RemoveFiles(name), u.dropIns.remove(name))
}

// stopForGood stops a unit that is not needed any more, and returns when it has stopped.
func (u *containerUnits) stopForGood(ctx context.Context, name string) error {
	if err := u.retirer.stop(ctx, name); err != nil {
		return err
	}
	return u.forgetFailure(ctx, name)
}

// forgetFailure has systemd forget that a unit failed, now or before. That goes into the
// journal only: nobody can act on a failed unit that is gone.
func (u *containerUnits) forgetFailure(ctx context.Context, name string) error {
	unit, err := u.systemd.Unit(ctx, name)
	if err != nil || unit.ActiveState != "failed" {
		return err
	}
	u.log.Warn("a unit that is not needed any more had failed", zap.String("unit", name),
		zap.String("result", unit.Result), zap.Int("exit_status", unit.ExitStatus))
	return u.systemd.ResetFailed(ctx, name)
}

// stopMount returns a function that unmounts a unit. systemd stops the containers
// that need it first.
func (u *containerUnits) stopMount(ctx context.Context) func(unit string) error {
	return func(unit string) error {
		u.log.Info("stopping a mount that has changed", zap.String("unit", unit))
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		return u.stopForGood(ctx, unit)
	}
}

// writeLogins writes the registry logins for the supervisors, as a Docker
// config.json that only root may read.
func (u *containerUnits) writeLogins(registries map[string]spec.Registry) error {
	logins := make(map[string]engine.Login, len(registries))
	for host, r := range registries {
		logins[host] = engine.Login(r)
	}
	var config bytes.Buffer
	if err := engine.WriteLogins(&config, logins); err != nil {
		return fmt.Errorf("write registry logins: %w", err)
	}
	dir := u.dir.LoginsDir()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("write registry logins: %w", err)
	}
	if err := atomicfile.WriteChanged(filepath.Join(dir, "config.json"), config.Bytes(), 0o600); err != nil {
		return fmt.Errorf("write registry logins: %w", err)
	}
	return nil
}
