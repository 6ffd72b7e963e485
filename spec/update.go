package spec

import "time"

// Update says how a container is replaced, and whether its tag is watched. It is
// Compose's deploy.update_config and deploy.rollback_config, and x-dockhost.update. A
// field that is not set takes the default of the host.
type Update struct {
	// Policy says whether the registry is asked for a newer image behind the tag.
	Policy UpdatePolicy `json:"policy,omitempty"`
	// Check is how often the registry is asked.
	Check time.Duration `json:"check,omitempty"`
	// Order is the order of an update, RollbackOrder the one of its rollback.
	Order         UpdateOrder `json:"order,omitempty"`
	RollbackOrder UpdateOrder `json:"rollback_order,omitempty"`
	// Monitor is how long a container must stay well once it is ready: the soak.
	Monitor time.Duration `json:"monitor,omitempty"`
	// FailureAction is what follows when it does not.
	FailureAction FailureAction `json:"failure_action,omitempty"`
	// Windows are the times at which a container may be replaced, as package
	// spec/update reads them. Without any, it may be replaced at any time.
	Windows []string `json:"windows,omitempty"`
	// PauseAfter is how many updates in a row may fail before no newer image is tried
	// until a person allows it.
	PauseAfter int `json:"pause_after,omitempty"`
	// Lock is how the application says that it must not be stopped now; nil if it
	// does not.
	Lock *UpdateLock `json:"lock,omitempty"`
	// FleetLock is the lock that the hosts of a fleet share; nil without one.
	FleetLock *FleetLock `json:"fleet_lock,omitempty"`
	// Wariness is how late this host updates in a fleet, from 0 (at once: a canary) to
	// 1; nil if it is not set.
	Wariness *float64 `json:"wariness,omitempty"`
}

// UpdatePolicy says whether a tag is watched.
type UpdatePolicy string

// The policies.
const (
	// UpdateNone obeys the declaration alone: tags are not watched.
	UpdateNone UpdatePolicy = "none"
	// UpdateRegistry replaces the container when its tag names another image.
	UpdateRegistry UpdatePolicy = "registry"
)

// UpdateOrder is the order of stop and start. The values are Compose's.
type UpdateOrder string

// The orders.
const (
	// StopFirst stops the old container before the new one starts.
	StopFirst UpdateOrder = "stop-first"
	// StartFirst starts the new container beside the old one, which stops once the new
	// one is ready.
	StartFirst UpdateOrder = "start-first"
)

// FailureAction is what follows a failed update. The values are Compose's.
type FailureAction string

// The actions.
const (
	// FailureRollback puts the old container in force again.
	FailureRollback FailureAction = "rollback"
	// FailurePause leaves the new container as it is, and tries no newer image until a
	// person allows it.
	FailurePause FailureAction = "pause"
	// FailureContinue leaves the new container as it is.
	FailureContinue FailureAction = "continue"
)

// UpdateLock is how an application says that it must not be stopped now. One of the
// fields is set.
type UpdateLock struct {
	// File is a file on the host that the application locks with flock(2).
	File string `json:"file,omitempty"`
	// Exec is a command in the container that exits with 75 (EX_TEMPFAIL of sysexits.h)
	// while the application must not be stopped.
	Exec []string `json:"exec,omitempty"`
}

// FleetLock is a lock manager that speaks the FleetLock protocol:
// https://coreos.github.io/zincati/development/fleetlock/protocol/
type FleetLock struct {
	BaseURL string `json:"base_url"`
	Group   string `json:"group"`
	// HoldAfterFailure is how long the lock is held after a rollback.
	HoldAfterFailure time.Duration `json:"hold_after_failure,omitempty"`
}

// Pin is the image that a container runs instead of the one that its reference names
// now: a tag may have moved on.
type Pin struct {
	// ID is Docker's ID of the image.
	ID string `json:"id"`
	// Ref is REPOSITORY@DIGEST, by which the image can be pulled if the host has lost
	// it; "" if it is from no registry.
	Ref string `json:"ref,omitempty"`
}

// Names returns the references by which the image can be found on a host, the best
// first.
func (p *Pin) Names() []string {
	var names []string
	for _, name := range []string{p.Ref, p.ID} {
		if name != "" {
			names = append(names, name)
		}
	}
	return names
}

// ImageNames returns the references by which the image of the container can be found on
// a host, the best first.
func (c *Container) ImageNames() []string {
	if c.Pin == nil {
		return []string{c.Image}
	}
	return c.Pin.Names()
}

// PullRef is the reference by which the image of the container is pulled, "" if it is
// from no registry.
func (c *Container) PullRef() string {
	if c.Pin == nil {
		return c.Image
	}
	return c.Pin.Ref
}

// KeptImages is the beginning of the tags by which dockhost protects the images of
// containers from being removed. No registry has that name.
const KeptImages = "dockhost.local/"
