package preview

import (
	"time"

	"github.com/dockhost/dockhost/spec"
)

// updates returns the settings of updates that a container has itself, with the keys and
// values that people write; nil without any.
func updates(u *spec.Update) map[string]any {
	if u == nil {
		return nil
	}
	written := map[string]any{}
	putSet(written, "policy", u.Policy, word)
	putSet(written, "check", u.Check, age)
	putSet(written, "pause_after", u.PauseAfter, number)
	putSet(written, "order", u.Order, word)
	putSet(written, "monitor", u.Monitor, age)
	putSet(written, "failure_action", u.FailureAction, word)
	putSet(written, "rollback_order", u.RollbackOrder, word)
	put(written, "wariness", u.Wariness, word)
	put(written, "lock", u.Lock, word)
	put(written, "fleet_lock", u.FleetLock, fleetLock)
	if len(u.Windows) > 0 {
		written["window"] = u.Windows
	}
	if len(written) == 0 {
		return nil
	}
	return written
}

// putSet is [put] for a setting whose zero value is not set.
func putSet[T comparable](written map[string]any, key string, value T, format func(T) any) {
	if value != *new(T) {
		written[key] = format(value)
	}
}

// word formats a setting that is shown as it is.
func word[T any](value T) any { return value }

func fleetLock(lock spec.FleetLock) any {
	written := map[string]any{"base_url": lock.BaseURL, "group": lock.Group}
	putSet[time.Duration](written, "hold_after_failure", lock.HoldAfterFailure, age)
	return written
}
