package agent

import (
	"context"
	"errors"
	"path/filepath"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// stateTimeout bounds the wait for a supervisor that was asked to write its state.
const stateTimeout = 2 * time.Second

// watched returns the directories whose files are restored.
func (u *containerUnits) watched() []string {
	dir := u.mounts.dir()
	return append(u.dir.Dirs(), u.dir.FilesDir("*"), dir,
		filepath.Join(dir, spec.UnitName("*")+".d"), filepath.Join(dir, "*.device.wants"))
}

// restore writes what the units of containers need again, where someone has removed
// or changed it, such as systemctl revert. It stops nothing, and starts only a unit that
// systemd would not start without its declaration. Supervisors restore their own files
// when they are asked to.
func (u *containerUnits) restore(ctx context.Context, inForce *spec.Assignment) error {
	version, err := u.systemd.Version(ctx)
	if err != nil {
		return err
	}
	template, err := u.dropIns.writeTemplate(version)
	errs := []error{err, u.dir.MakeDirs(), u.writeLogins(inForce.Registries)}
	reload := false
	var changed []string
	for i := range inForce.Containers {
		c := withHash(&inForce.Containers[i])
		files, err := u.write(c, version, func(string) error { return nil })
		if files != (written{}) {
			u.log.Warn("restored files that someone had removed or changed", zap.String("container", c.Name),
				zap.Bool("declaration", files.declaration), zap.Bool("drop_in", files.dropIn), zap.Bool("mounts", files.mounts))
		}
		if files.dropIn || template {
			changed = append(changed, spec.UnitName(c.Name))
		}
		reload = reload || files.mounts
		if files.declaration {
			err = errors.Join(err, u.startRefused(ctx, c))
		}
		errs = append(errs, err, u.askRestore(ctx, c))
	}
	return errors.Join(append(errs, u.reload(ctx, reload, changed))...)
}

// startRefused starts a unit that someone wanted to start while its declaration was
// missing.
func (u *containerUnits) startRefused(ctx context.Context, c hashed) error {
	unit, err := u.unit(ctx, c)
	if err != nil || unit.Active() {
		return err
	}
	if refused, err := u.systemd.Refused(ctx, unit.Name); err != nil || !refused {
		return err
	}
	u.log.Info("starting container, which systemd did not start without its declaration", zap.String("container", c.Name))
	return u.systemd.Start(ctx, unit.Name)
}

// askRestore asks the supervisor of a running container to write its files again, if
// one is missing or damaged.
func (u *containerUnits) askRestore(ctx context.Context, c hashed) error {
	damage := u.dir.CheckRunning(c.Name, len(c.Files))
	if damage == nil {
		return nil
	}
	unit, err := u.systemd.Unit(ctx, spec.UnitName(c.Name))
	if err != nil || unit.ActiveState != "active" {
		return err
	}
	u.log.Warn("asking a supervisor to restore its files", zap.String("container", c.Name), zap.NamedError("damage", damage))
	return u.systemd.Signal(ctx, unit.Name, syscall.SIGCONT)
}

// askState asks the supervisor of a container to write its state, and returns it.
func (u *containerUnits) askState(ctx context.Context, name string) (rundir.State, error) {
	if err := u.systemd.Signal(ctx, spec.UnitName(name), syscall.SIGCONT); err != nil {
		return rundir.State{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, stateTimeout)
	defer cancel()
	tries := backoff.Backoff{Next: 20 * time.Millisecond, Cap: 200 * time.Millisecond}
	for {
		state, err := u.dir.State(name)
		if err == nil || tries.Wait(ctx) != nil {
			return state, err
		}
	}
}
