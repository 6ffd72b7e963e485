// Package cdispec owns the CDI spec (Container Device Interface) of the host's NVIDIA
// GPUs. It finds a spec that matches the host or has one generated, and resolves
// device names to the edits that a container needs.
package cdispec

import (
	"context"
	"errors"

	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/nvidia"
)

// Kind is the CDI kind of NVIDIA's GPUs.
const Kind = "nvidia.com/gpu"

// Published is the path of a spec that was generated here. NVIDIA's
// nvidia-cdi-refresh.service writes the same file. So the newest spec applies, and
// no device is described twice, which Docker would refuse.
const Published = "/run/cdi/nvidia.yaml"

// Annotations of a spec that was generated here.
const (
	annotationBy          = "dockhost.dev/made-by"
	annotationFingerprint = "dockhost.dev/fingerprint"
)

// ErrNoGenerator means that no spec matches the host and no program on it can
// generate one.
var ErrNoGenerator = errors.New("no program on this host can describe the GPUs to a container " +
	"(install dockhost-nvidia, or NVIDIA's nvidia-container-toolkit)")

// Source is a spec of the host's GPUs and its origin.
type Source struct {
	Path  string  `json:"path"`            // /run/cdi/nvidia.yaml
	By    By      `json:"by"`              // what made it
	Stale []Stale `json:"stale,omitempty"` // specs that do not match the host

	spec      *specs.Spec
	host      host
	inventory *nvidia.Inventory
}

// By names what made a spec.
type By string

// What makes specs.
const (
	ByHost     By = "host"            // existed before: made by an administrator or nvidia-cdi-refresh.service
	ByCTK      By = "nvidia-ctk"      // NVIDIA's container toolkit, started by dockhost
	ByDockhost By = "dockhost-nvidia" // dockhost's own generator
)

// Stale is a spec that does not match the host.
type Stale struct {
	Path string `json:"path"`
	Why  string `json:"why"` // "it is for driver 535.54.03, but 550.54.15 is loaded"
}

// Options are the paths to use.
type Options struct {
	Root  string // "/" on a host
	State string // directory within Root that keeps generated specs: /var/lib/dockhost/nvidia
	// Generator is the path of dockhost's generator within Root, "" for
	// /usr/libexec/dockhost/dockhost-nvidia.
	Generator string
}

// Find returns the spec that matches the inventory, or nil, and the specs that do not
// match. It generates none.
func Find(i *nvidia.Inventory, o Options) (*Source, []Stale) {
	h := host{o.Root}
	var stale []Stale
	for _, path := range h.specFiles() {
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

// Ensure returns the result of Find. If that is nil, Ensure publishes a spec in
// /run/cdi, where Docker and Podman find it, too: the one that was generated
// earlier for the same inventory, or a new one. It returns [ErrNoGenerator] if no
// program can generate one.
func Ensure(ctx context.Context, i *nvidia.Inventory, o Options) (*Source, error) {
	source, stale := Find(i, o)
	if source != nil {
		return source, nil
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

// Devices returns the names of the spec's devices, without the kind: 0, 0:1, GPU-...,
// all. [Source.Edits] takes them.
func (s *Source) Devices() []string {
	names := make([]string, 0, len(s.spec.Devices))
	for _, device := range s.spec.Devices {
		names = append(names, device.Name)
	}
	return names
}
