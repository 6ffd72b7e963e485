package agent

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/spec"
)

// operator does with containers what people ask for: it stops and starts them, and keeps
// that for the next boots.
type operator struct {
	deployer *deployer
	log      *zap.Logger
}

// byPerson names what someone did by the local API as the cause of an event.
func byPerson(user string) string { return byDockhostctl + " by " + user }

// errNoReload means that a container has nothing to reload.
var errNoReload = errors.New("it has no x-dockhost.reload, so there is nothing to reload (restart it with: dockhostctl restart)")

// stop stops a container, and returns when it has stopped. note says what the caller
// should know although that worked.
func (o *operator) stop(ctx context.Context, name string, by api.Stopped) (note string, err error) {
	unsaved := o.deployer.changeStops(ctx, name, func(a *accepted) {
		if !a.isStopped(name) {
			a.setStop(name, by)
		}
		o.deployer.stops.begun[name] = true
	})
	defer o.deployer.changeStops(ctx, name, func(*accepted) { delete(o.deployer.stops.begun, name) }) //nolint:errcheck // it saves nothing
	journal.Stopping.Say(o.log, "stopping the container; it stays so until it is started", zap.String("container", name), zap.String("by", byPerson(by.User)))
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	if err := o.deployer.units.halt(ctx, spec.UnitName(name)); err != nil {
		return "", err
	}
	return noteUnsaved(unsaved, "stopped"), nil
}

// halt stops a unit, and returns when it has stopped. A container that did not end on its
// stop signal, or has failed before, is stopped all the same: the unit does not stay
// failed.
func (u *containerUnits) halt(ctx context.Context, name string) error {
	if err := u.retirer.stop(ctx, name); err != nil {
		return err
	}
	unit, err := u.systemd.Unit(ctx, name)
	if err != nil || unit.ActiveState != "failed" {
		return err
	}
	return u.systemd.ResetFailed(ctx, name)
}

// noteUnsaved says that a change is lost at the next boot unless it can be saved.
func noteUnsaved(unsaved error, state string) string {
	if unsaved == nil {
		return ""
	}
	return fmt.Sprintf("%s until the next boot: not saved yet, and tried again: %v", state, unsaved)
}

// start has systemd start a container, or restart it. It does not wait until it is ready.
func (o *operator) start(ctx context.Context, name string, restart bool) (note string, err error) {
	message := "starting the container"
	if restart {
		message = "restarting the container"
	}
	journal.Starting.Say(o.log, message, zap.String("container", name), zap.String("by", byPerson(userOf(ctx))))
	unsaved := o.deployer.changeStops(ctx, name, func(a *accepted) { delete(a.Stopped, name) })
	if restart {
		err = o.deployer.restart(ctx, name)
	} else {
		err = o.deployer.start(ctx, name)
	}
	return noteUnsaved(unsaved, "started"), err
}

// reload has a container reload its configuration, as it declares, and returns when it
// has.
func (o *operator) reload(ctx context.Context, name string) error {
	c := o.deployer.store.container(name)
	if c == nil {
		return fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name)
	}
	if c.Reload == nil {
		return fmt.Errorf("%s: %w", name, errNoReload)
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	return o.deployer.units.systemd.ReloadUnit(ctx, spec.UnitName(name))
}

// changeStops changes the stops of what is accepted. The change is in force also where it
// could not be saved, which is the error.
func (d *deployer) changeStops(ctx context.Context, name string, change func(*accepted)) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	draft := d.store.draft()
	before := draft.isStopped(name)
	change(draft)
	if draft.isStopped(name) == before {
		return nil
	}
	return d.setStops(ctx, draft)
}

// noticeStops puts in force that someone has stopped or started containers with systemctl.
func (d *deployer) noticeStops(ctx context.Context) {
	draft := d.stops.notice(ctx)
	if draft == nil {
		return
	}
	_ = d.setStops(ctx, draft) // the saver tries again, and the status says so
}

// lookAtStops is noticeStops while no other containers are put in force.
func (d *deployer) lookAtStops(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.noticeStops(ctx)
}

// setStops puts other stops in force, saves them, and has containers start without those
// that they depend on and that are stopped.
func (d *deployer) setStops(ctx context.Context, draft *accepted) error {
	d.store.setInForce(draft)
	err := d.store.save(draft)
	if err != nil {
		d.log.Error("who has stopped containers is not saved for the next boot; trying that again", zap.Error(err))
		d.unsaved()
	}
	if adaptErr := d.units.adapt(ctx, draft.Assignment.Containers); adaptErr != nil && ctx.Err() == nil {
		d.log.Warn("units not adapted to what is stopped", zap.Error(adaptErr))
	}
	d.stopsChanged()
	d.report()
	return err
}

// start has systemd start a container in force, also if it has ended for good.
func (d *deployer) start(ctx context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.store.container(name)
	if c == nil {
		return fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name)
	}
	next := withHash(c)
	next.again = true
	if by := d.store.stop(name); by != nil {
		// It needs a container that is stopped. systemd starts both.
		return masked(name, d.units.systemd.Start(ctx, spec.UnitName(name)))
	}
	return masked(name, d.units.apply(ctx, next))
}

// restart has systemd restart a container in force.
func (d *deployer) restart(ctx context.Context, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.store.container(name) == nil {
		return fmt.Errorf("%w: %q (see: dockhostctl status)", errNoContainer, name)
	}
	return masked(name, d.units.systemd.Restart(ctx, spec.UnitName(name)))
}

// masked adds to the error of a start what to do about a masked unit.
func masked(name string, err error) error {
	if err == nil || !strings.Contains(err.Error(), "is masked") {
		return err
	}
	return fmt.Errorf("%w (run: systemctl unmask %s)", err, strings.TrimSuffix(spec.UnitName(name), ".service"))
}

// adapt writes again what depends on which containers are stopped, and has systemd read
// what has changed.
func (u *containerUnits) adapt(ctx context.Context, containers []spec.Container) error {
	linked := false
	var changed []string
	for i := range containers {
		c := &containers[i]
		for _, m := range c.Mounts {
			changed, err := u.mounts.link(c.Name, m, u.stopped(c.Name) == nil)
			if err != nil {
				return err
			}
			linked = linked || changed
		}
		if len(c.DependsOn) == 0 {
			continue
		}
		version, err := u.systemd.Version(ctx)
		if err != nil {
			return err
		}
		rewritten, err := u.dropIns.write(u.withoutStopped(c), version)
		if err != nil {
			return err
		}
		if rewritten {
			changed = append(changed, spec.UnitName(c.Name))
		}
	}
	return u.reload(ctx, linked, changed)
}
