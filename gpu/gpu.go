// Package gpu gives containers the devices that they ask for: it finds out
// which of the host's GPUs a request means, and what has to be in a container
// for it to use them. It is called for each start of such a container, by a
// process of its own, so that a driver that was updated in between is found as
// it is then.
package gpu

import (
	"context"
	"slices"
	"strings"

	"tags.cncf.io/container-device-interface/pkg/cdi"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

// kind is the vendor and class of NVIDIA's devices.
const kind = "nvidia.com/gpu"

// Host is what is asked about the host.
type Host interface {
	// NVIDIA makes NVIDIA's GPUs ready, and returns those that there are with
	// what describes them. capabilities are what the driver is to be
	// capable of. The error says why they cannot be used, and what to do.
	NVIDIA(ctx context.Context, capabilities []string, tell func(attachment.Message)) (Inventory, Described, error)
	// Specs are the CDI specs of the host.
	Specs() (*cdi.Cache, error)
}

// Attach returns what gives a container the devices that it asks for. The
// error says what was found instead, and what to do. others are what other
// containers have, or ask for.
func Attach(ctx context.Context, host Host, asked *spec.GPU, others []Claim, tell func(attachment.Message)) (attachment.Attachment, error) {
	var inventory Inventory
	var described Described
	if wantsNVIDIA(asked) {
		var err error
		if inventory, described, err = host.NVIDIA(ctx, capabilities(asked), tell); err != nil {
			return attachment.Attachment{}, err
		}
	}
	devices, err := inventory.find(asked.Requests, described)
	if err != nil {
		return attachment.Attachment{}, err
	}
	if err := inventory.checkShared(asked, devices, others); err != nil {
		return attachment.Attachment{}, err
	}
	specs, err := host.Specs()
	if err != nil {
		return attachment.Attachment{}, err
	}
	edits, err := makeEdits(devices, described, specs)
	if err != nil {
		return attachment.Attachment{}, err
	}
	made := attachment.Attachment{Edits: edits}
	for _, d := range devices {
		made.Devices = append(made.Devices, d.cdi)
		made.GPUs = append(made.GPUs, d.ids...)
		made.Buses = append(made.Buses, d.buses...)
	}
	made.GPUs, made.Buses = sorted(made.GPUs), sorted(made.Buses)
	return made, nil
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// wantsNVIDIA says whether any of NVIDIA's GPUs are asked for.
func wantsNVIDIA(asked *spec.GPU) bool {
	return slices.ContainsFunc(asked.Requests, func(r spec.GPURequest) bool {
		return r.Count != 0 || slices.ContainsFunc(r.Devices, func(name string) bool {
			return !spec.IsCDI(name) || strings.HasPrefix(name, kind+"=")
		})
	})
}

// capabilities are what the driver is to be capable of.
func capabilities(asked *spec.GPU) []string {
	var all []string
	for _, r := range asked.Requests {
		all = append(all, r.Capabilities...)
	}
	return all
}
