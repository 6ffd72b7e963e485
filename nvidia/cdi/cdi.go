// Package cdi has the host's GPUs described by the Container Device Interface:
// finds a description that still holds or has one made, and resolves names of
// devices to what a container needs.
package cdi

import (
	"context"
	"errors"

	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/nvidia"
)

// ErrNoGenerator is returned where no description holds and nothing on the host
// can make one.
var ErrNoGenerator = errors.New("nothing here can describe the GPUs to a container " +
	"(install dockhost-nvidia, or NVIDIA's nvidia-container-toolkit)")

// Source is a description of the host's GPUs, and where it is from.
type Source struct {
	Path  string  `json:"path"`            // /run/cdi/nvidia.yaml
	By    By      `json:"by"`              // who made it
	Stale []Stale `json:"stale,omitempty"` // others, which were passed over
	spec  *specs.Spec
	root  string
}

// By is who made a description.
type By string

// Who makes them.
const (
	ByHost     By = "host"            // it was there: an administrator's, or nvidia-cdi-refresh.service's
	ByCTK      By = "nvidia-ctk"      // NVIDIA's container toolkit, asked by us
	ByDockhost By = "dockhost-nvidia" // ours
)

// Stale is a description that does not fit the host.
type Stale struct {
	Path string `json:"path"`
	Why  string `json:"why"` // "it is for driver 535.54.03, and 550.54.15 runs"
}

// Options are where to look.
type Options struct {
	Root  string // "/" on a host
	State string // directory, within Root, that keeps what was made: /var/lib/dockhost/nvidia
	// Generator is our own generator's path within Root, "" for where the
	// package has it: /usr/libexec/dockhost/dockhost-nvidia.
	Generator string
}

// Find returns the description that holds for the inventory, and makes none:
// nil, with those passed over, where there is none.
func Find(i *nvidia.Inventory, o Options) (*Source, []Stale, error) { return nil, nil, nil }

// Ensure returns what Find does, and otherwise has a description made and puts
// it into /run/cdi, where Docker and Podman find it, too. It returns
// ErrNoGenerator where there is nothing to make it with.
func Ensure(ctx context.Context, i *nvidia.Inventory, o Options) (*Source, error) { return nil, nil }

// Devices are the names that Edits takes, without the kind: 0, 0:1, GPU-..., all.
func (s *Source) Devices() []string { return nil }

// Edits returns what the devices come to, merged: what the description has for
// all containers, and then each device's own. Names are with the kind or
// without: "nvidia.com/gpu=0", "0", "all", a UUID, and "0:1" for MIG. Device
// nodes have type, numbers and mode filled in from the host's. A name that is
// not there is an error that says which are.
func (s *Source) Edits(names ...string) (*specs.ContainerEdits, error) { return nil, nil }
