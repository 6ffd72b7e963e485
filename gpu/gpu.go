// Package gpu finds the GPUs that a container requests and prepares them for the
// container. It decides which of the host's GPUs a request means and makes the
// changes to the container's OCI configuration. A short-lived process calls it at
// each start of such a container, so that it sees a driver that was updated
// since the last one. It does not know Docker or systemd.
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

// Host answers questions about the host.
type Host interface {
	// NVIDIA makes NVIDIA's GPUs usable and returns them with their CDI spec.
	// capabilities are the required ones of the driver. The error says why the
	// GPUs cannot be used, and what to do.
	NVIDIA(ctx context.Context, capabilities []string, tell func(attachment.Message)) (Pool, Description, error)
	// Specs returns the host's CDI specs.
	Specs() (*cdi.Cache, error)
}

// Attach returns the changes that give a container the devices that it needs.
// others are the claims of other containers. The error says what the host has
// instead, and what to do.
func Attach(ctx context.Context, host Host, needs *spec.GPUNeeds, others []Claim, tell func(attachment.Message)) (attachment.Attachment, error) {
	var pool Pool
	var description Description
	if wantsNVIDIA(needs) {
		var err error
		if pool, description, err = host.NVIDIA(ctx, capabilities(needs), tell); err != nil {
			return attachment.Attachment{}, err
		}
	}
	devices, err := pool.choose(needs.Requests, description)
	if err != nil {
		return attachment.Attachment{}, err
	}
	if err := pool.checkShared(needs, devices, others); err != nil {
		return attachment.Attachment{}, err
	}
	specs, err := host.Specs()
	if err != nil {
		return attachment.Attachment{}, err
	}
	edits, err := makeEdits(devices, description, specs)
	if err != nil {
		return attachment.Attachment{}, err
	}
	result := attachment.Attachment{Edits: edits}
	for _, d := range devices {
		result.Devices = append(result.Devices, d.cdi)
		result.GPUs = append(result.GPUs, d.ids...)
		result.Buses = append(result.Buses, d.buses...)
	}
	result.GPUs, result.Buses = sorted(result.GPUs), sorted(result.Buses)
	return result, nil
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// wantsNVIDIA says whether a request means NVIDIA's GPUs.
func wantsNVIDIA(needs *spec.GPUNeeds) bool {
	return slices.ContainsFunc(needs.Requests, func(r spec.GPURequest) bool {
		return r.Count != 0 || slices.ContainsFunc(r.Devices, func(name string) bool {
			return !spec.IsCDI(name) || strings.HasPrefix(name, kind+"=")
		})
	})
}

// capabilities returns the driver capabilities that the requests name.
func capabilities(needs *spec.GPUNeeds) []string {
	var all []string
	for _, r := range needs.Requests {
		all = append(all, r.Capabilities...)
	}
	return all
}
