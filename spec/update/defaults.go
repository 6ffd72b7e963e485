package update

import (
	"cmp"
	"time"

	"github.com/dockhost/dockhost/spec"
)

// The defaults.
const (
	defaultCheck      = 5 * time.Minute
	defaultMonitor    = time.Minute
	defaultPauseAfter = 3
	defaultHold       = 10 * time.Minute
)

// Defaults returns the settings of a container, where c is its own ones and host those
// of dockhost.yaml. Both may be nil. Every field is set, except Windows, Lock and
// FleetLock, which have no default.
func Defaults(c, host *spec.Update) spec.Update {
	none := &spec.Update{}
	c, host = cmp.Or(c, none), cmp.Or(host, none)
	u := spec.Update{
		Policy:        cmp.Or(c.Policy, host.Policy, spec.UpdateNone),
		Check:         cmp.Or(c.Check, host.Check, defaultCheck),
		Order:         cmp.Or(c.Order, host.Order, spec.StopFirst),
		RollbackOrder: cmp.Or(c.RollbackOrder, host.RollbackOrder, spec.StopFirst),
		Monitor:       cmp.Or(c.Monitor, host.Monitor, defaultMonitor),
		FailureAction: cmp.Or(c.FailureAction, host.FailureAction, spec.FailureRollback),
		Windows:       host.Windows,
		PauseAfter:    cmp.Or(c.PauseAfter, host.PauseAfter, defaultPauseAfter),
		Lock:          cmp.Or(c.Lock, host.Lock),
		Wariness:      cmp.Or(c.Wariness, host.Wariness, new(0.0)),
	}
	if len(c.Windows) > 0 {
		u.Windows = c.Windows
	}
	// One may be the container's own and the other the host's.
	u.Check = max(u.Check, u.Monitor)
	if lock := cmp.Or(c.FleetLock, host.FleetLock); lock != nil {
		u.FleetLock = new(*lock)
		u.FleetLock.HoldAfterFailure = cmp.Or(lock.HoldAfterFailure, defaultHold)
	}
	return u
}

// For is [Defaults] for a container. Where a second container cannot run beside the
// first, start-first of the host does not apply.
func For(c *spec.Container, host *spec.Update) spec.Update {
	u := Defaults(c.Update, host)
	if u.Order == spec.StartFirst && (c.Update == nil || c.Update.Order == "") && len(Collisions(c)) > 0 {
		u.Order = spec.StopFirst
	}
	return u
}
