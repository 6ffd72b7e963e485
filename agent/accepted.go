package agent

import (
	"maps"
	"slices"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// accepted is what a host accepted, and for which machine. Once it is in the
// store it is not modified: changes are made on a clone.
type accepted struct {
	// InstanceID is the instance of the user data.
	InstanceID string `json:"instance_id"`
	// MachineID is the host's /etc/machine-id. It tells a clone from its original
	// even without user data.
	MachineID string `json:"machine_id"`
	// ProductUUID is the DMI product UUID, "" where the machine has none. It tells a
	// clone from its original where both have the same machine-id.
	ProductUUID string `json:"product_uuid,omitempty"`
	Datasource  string `json:"datasource"`
	// At is when the user data in UserData was accepted.
	At time.Time `json:"at"`
	// Assignment is what is in force, of everything that is declared below.
	Assignment spec.Assignment `json:"assignment"`

	// UserData is what the user data assigned last. Files is what each file of
	// /etc/dockhost/containers declared last, by its name. Local is what
	// dockhostctl run declared, sorted by name. A change is here at once, and in
	// Assignment once it is in force.
	UserData spec.Assignment            `json:"user_data"`
	Files    map[string]spec.Assignment `json:"files,omitempty"`
	Local    []spec.Container           `json:"local,omitempty"`

	// Ulimits are what the host gave its containers in Assignment, as the configuration
	// says.
	Ulimits []*container.Ulimit `json:"ulimits,omitempty"`

	// Stopped are the containers that someone has stopped, by name.
	Stopped map[string]stopped `json:"stopped,omitempty"`
}

// newAccepted returns an empty assignment for this machine.
func newAccepted(machine storeFile, source api.Source) *accepted {
	return &accepted{
		InstanceID: source.InstanceID, MachineID: machine.machineID(), ProductUUID: machine.productUUID(),
		Datasource: source.Datasource, At: time.Now(),
		UserData: spec.Assignment{Containers: []spec.Container{}}, Assignment: spec.Assignment{Containers: []spec.Container{}},
	}
}

// container returns the container in force under a name, nil if the name is unknown.
func (a *accepted) container(name string) *spec.Container {
	if a == nil {
		return nil
	}
	return containerNamed(a.Assignment.Containers, name)
}

// assigns reports whether the user data that was accepted last assigns anything.
func (a *accepted) assigns() bool { return a != nil && len(a.UserData.Containers) > 0 }

// isFor reports whether this was accepted for an instance. What was accepted
// before there was an instance-id is for the machine.
func (a *accepted) isFor(instanceID string, machine storeFile) bool {
	if a.InstanceID == "" {
		return a.isOf(machine)
	}
	return a.InstanceID == instanceID
}

// isOf reports whether this was accepted on this machine. A clone must not run
// what was assigned to its original.
func (a *accepted) isOf(machine storeFile) bool {
	uuid := machine.productUUID()
	return a.MachineID == machine.machineID() && (a.ProductUUID == "" || uuid == "" || a.ProductUUID == uuid)
}

// clone returns a copy whose lists can be changed.
func (a *accepted) clone() *accepted {
	c := *a
	c.Assignment.Containers = slices.Clone(a.Assignment.Containers)
	c.Local, c.Files, c.Stopped = slices.Clone(a.Local), maps.Clone(a.Files), maps.Clone(a.Stopped)
	return &c
}

// forget removes what dockhostctl run declared under a name.
func (a *accepted) forget(name string) {
	if a.origin(name) == api.OriginLocal {
		a.Assignment.Containers = without(a.Assignment.Containers, name)
	}
	a.Local = without(a.Local, name)
}
