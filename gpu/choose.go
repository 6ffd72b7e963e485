package gpu

import (
	"fmt"
	"slices"
	"strings"

	cdispecs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/spec"
)

// Description is the CDI spec that describes NVIDIA's GPUs to containers.
type Description struct {
	// Path is the file of the spec.
	Path string
	// Names are the names of its devices: "0", "GPU-...", "all".
	Names []string
	// Edits returns the edits that give a container the named devices.
	Edits func(names ...string) (*cdispecs.ContainerEdits, error)
}

func (d Description) has(name string) bool { return slices.Contains(d.Names, name) }

// device is a CDI device.
type device struct {
	// cdi is its qualified name.
	cdi string
	// ids are the UUIDs of its GPUs and MIG instances.
	ids []string
	// buses are their addresses on the PCI bus.
	buses []string
}

// choose returns the devices that the requests mean, each one once.
func (pool Pool) choose(requests []spec.GPURequest, description Description) ([]device, error) {
	var chosen []device
	for _, r := range requests {
		devices, err := pool.requested(r, description)
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			if !slices.ContainsFunc(chosen, func(other device) bool { return other.cdi == d.cdi }) {
				chosen = append(chosen, d)
			}
		}
	}
	return chosen, nil
}

// requested returns the devices of one request.
func (pool Pool) requested(r spec.GPURequest, description Description) ([]device, error) {
	var parts []part
	switch {
	case r.Count == spec.AllGPUs && description.has("all"):
		parts = []part{pool.all()}
	case r.Count == spec.AllGPUs:
		parts = pool.wholes()
	case r.Count > len(pool):
		return nil, fmt.Errorf("%s requested, but this host has %d (see: dockhostctl gpu)", isAre(r.Count), len(pool))
	default:
		parts = pool.wholes()[:r.Count]
	}
	var devices []device
	for _, p := range parts {
		d, err := p.device(description)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	for _, name := range r.Devices {
		d, err := pool.deviceOf(name, description)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	return devices, nil
}

// deviceOf returns the device with a name: an index, a UUID or a qualified name.
func (pool Pool) deviceOf(name string, description Description) (device, error) {
	short, isNVIDIA := strings.CutPrefix(name, kind+"=")
	if spec.IsCDI(name) && !isNVIDIA {
		return device{cdi: name}, nil
	}
	if p, found := pool.named(short); found {
		return p.device(description)
	}
	// A spec may contain names that only the driver's library knows.
	if description.has(short) {
		return device{cdi: kind + "=" + short, ids: []string{short}}, nil
	}
	return device{}, fmt.Errorf("GPU %s is requested, but this host has %s (see: dockhostctl gpu)", short, pool)
}

// device returns the device of the description that gives a container the part.
func (p part) device(description Description) (device, error) {
	for _, name := range p.names {
		if description.has(name) {
			return device{cdi: kind + "=" + name, ids: p.ids, buses: p.buses}, nil
		}
	}
	if len(p.ids) > 1 || len(p.ids) == 1 && p.ids[0] != p.names[len(p.names)-1] {
		return device{}, fmt.Errorf("GPU %s is split into MIG instances and cannot be used as a whole: name the instances, such as %s:0 (see: dockhostctl gpu)", p.names[0], p.names[0])
	}
	return device{}, fmt.Errorf("GPU %s exists, but the CDI spec %s does not describe it (regenerate the spec or remove it)", p.names[0], description.Path)
}

func isAre(count int) string {
	if count == 1 {
		return "1 GPU is"
	}
	return fmt.Sprintf("%d GPUs are", count)
}
