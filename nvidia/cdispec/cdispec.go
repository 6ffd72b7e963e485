// Package cdispec has the host's GPUs described by the Container Device Interface:
// finds a description that still holds or has one made, and resolves names of
// devices to what a container needs.
package cdispec

import (
	"context"
	"errors"

	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/nvidia"
)

// Kind is what NVIDIA's GPUs are called.
const Kind = "nvidia.com/gpu"

// Published is where a description is put that was made here. NVIDIA's own
// nvidia-cdi-refresh.service writes the same file: whoever comes last is right,
// and no device is ever described twice, which Docker would refuse.
const Published = "/run/cdi/nvidia.yaml"

// Annotations of a description that was made here.
const (
	annotationBy          = "dockhost.dev/made-by"
	annotationFingerprint = "dockhost.dev/fingerprint"
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

	spec      *specs.Spec
	host      host
	inventory *nvidia.Inventory
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
func Find(i *nvidia.Inventory, o Options) (*Source, []Stale) {
	h := host{o.Root}
	var stale []Stale
	for _, path := range h.descriptions() {
		spec, err := h.read(path)
		if err != nil {
			stale = append(stale, Stale{path, err.Error()})
			continue
		}
		if spec.Kind != Kind {
			continue
		}
		if why := h.check(spec, i); why != "" {
			stale = append(stale, Stale{path, why})
			continue
		}
		by := By(spec.Annotations[annotationBy])
		if by == "" {
			by = ByHost
		}
		return &Source{Path: path, By: by, Stale: stale, spec: spec, host: h, inventory: i}, stale
	}
	return nil, stale
}

// Ensure returns what Find does, and otherwise puts a description into
// /run/cdi, where Docker and Podman find it, too: the one that was made for the
// same inventory before, or a new one. It returns ErrNoGenerator where there is
// nothing to make it with.
func Ensure(ctx context.Context, i *nvidia.Inventory, o Options) (*Source, error) {
	found, stale := Find(i, o)
	if found != nil {
		return found, nil
	}
	h := host{o.Root}
	spec := h.kept(i, o)
	if spec == nil {
		var err error
		if spec, err = h.generate(ctx, i, o); err != nil {
			return nil, err
		}
		if err := h.keep(spec, o); err != nil {
			return nil, err
		}
	}
	if err := h.publish(spec); err != nil {
		return nil, err
	}
	by := By(spec.Annotations[annotationBy])
	return &Source{Path: Published, By: by, Stale: stale, spec: spec, host: h, inventory: i}, nil
}

// Devices are the names that Edits takes, without the kind: 0, 0:1, GPU-..., all.
func (s *Source) Devices() []string {
	names := make([]string, 0, len(s.spec.Devices))
	for _, device := range s.spec.Devices {
		names = append(names, device.Name)
	}
	return names
}
