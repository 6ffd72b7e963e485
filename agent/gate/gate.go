// Package gate asks who may delay an update before it stops a container: the application
// (package applock), and the fleet (package fleetlock).
package gate

import (
	"context"
	"io"
	"time"

	"github.com/dockhost/dockhost/agent/applock"
	"github.com/dockhost/dockhost/agent/fleetlock"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// docker runs the command that asks an application.
type docker interface {
	Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
}

// slots are the host's slots of its fleet.
type slots interface {
	Take(ctx context.Context, name string, lock fleetlock.Lock) error
	Give(name string, after time.Duration)
}

// Gates asks for all containers of a host.
type Gates struct {
	Docker docker
	Slots  slots
}

// Closed returns why a container must not be stopped now, "" if it may be; then the caller
// calls Passed once the update has ended. id is Docker's id of the container that runs,
// "" without one.
//
// The application is asked before the fleet, so that no slot is taken in vain, and once
// more when the host has its slot, since the fleet may take its time to answer.
func (g Gates) Closed(ctx context.Context, name, id string, settings spec.Update) (why string) {
	if why := g.busy(ctx, id, settings.Lock); why != "" {
		return why
	}
	lock, shared := LockOf(settings)
	if !shared {
		return ""
	}
	if err := g.Slots.Take(ctx, name, lock); err != nil {
		return err.Error()
	}
	if why := g.busy(ctx, id, settings.Lock); why != "" {
		g.Slots.Give(name, 0)
		return why
	}
	return ""
}

// Passed gives back what Closed has taken for a container, after a rollback only after a
// while, which another call extends. The settings are those of the container that runs now.
func (g Gates) Passed(name string, settings spec.Update, failed bool) {
	var hold time.Duration
	if failed && settings.FleetLock != nil {
		hold = settings.FleetLock.HoldAfterFailure
		if settings.Policy == spec.UpdateRegistry {
			// Each check extends the hold while the tag names the image that failed.
			hold = max(hold, 2*settings.Check)
		}
	}
	g.Slots.Give(name, hold)
}

// LockOf returns the lock that updates with these settings need, if they need one.
func LockOf(settings spec.Update) (lock fleetlock.Lock, shared bool) {
	if settings.FleetLock == nil {
		return lock, false
	}
	return fleetlock.Lock{BaseURL: settings.FleetLock.BaseURL, Group: settings.FleetLock.Group}, true
}

// busy returns why an application must not be stopped now, "" if it may be.
func (g Gates) busy(ctx context.Context, id string, lock *spec.UpdateLock) string {
	switch {
	case lock == nil:
		return ""
	case lock.File != "":
		free, err := applock.FileFree(lock.File)
		return inWords(free, "the application holds its lock "+lock.File, "", err)
	case len(lock.Exec) > 0 && id != "":
		free, output, err := applock.ExecFree(ctx, g.Docker, id, lock.Exec)
		return inWords(free, "the application must not be stopped now", output, err)
	}
	return ""
}

// inWords returns an application's answer in words, "" if it may be stopped.
func inWords(free bool, busy, output string, err error) string {
	why := busy
	switch {
	case err != nil:
		why = err.Error()
	case free:
		return ""
	}
	if output != "" {
		why += ": " + output
	}
	return why
}
