package gpu

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	cdispecs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/spec"
)

// Inventory is the GPUs of the host, in the order of their indices.
type Inventory []GPU

// GPU is one of NVIDIA's GPUs.
type GPU struct {
	// Index is what nvidia-smi counts it by, UUID its own name ("GPU-...").
	Index int
	UUID  string
	// BusID is where it is on the PCI bus ("0000:01:00.0").
	BusID string
	// Model is its name, Minor the number of its device node.
	Model string
	Minor int
	// MIG are the instances that it is split into; none where it is whole.
	MIG []Instance
}

// Instance is a part of a GPU (Multi-Instance GPU).
type Instance struct {
	// Name is what it is counted by, "0:1", and UUID its own ("MIG-..."), or ""
	// where only the driver's library could tell.
	Name string
	UUID string
}

// Described is what describes NVIDIA's GPUs to containers.
type Described struct {
	// Path is the file of the CDI spec.
	Path string
	// Names are the devices in it: "0", "GPU-...", "all".
	Names []string
	// Edits returns what gives a container the devices of such names.
	Edits func(names ...string) (*cdispecs.ContainerEdits, error)
}

func (d Described) has(name string) bool { return slices.Contains(d.Names, name) }

// device is something that a container can be given.
type device struct {
	// cdi is its qualified CDI name.
	cdi string
	// ids are the UUIDs of the GPUs and MIG instances that it is.
	ids []string
	// buses are where those are on the PCI bus.
	buses []string
}

// part is a GPU or a MIG instance.
type part struct {
	// names are what it may be asked for by: its index, and its UUID.
	names []string
	// ids are its UUID, or those of its instances.
	ids []string
	// buses is where it is on the PCI bus.
	buses []string
}

// wholes are the GPUs as such, whatever they are split into.
func (gpus Inventory) wholes() []part {
	var all []part
	for _, g := range gpus {
		p := part{names: []string{strconv.Itoa(g.Index), g.UUID}, ids: []string{g.UUID}, buses: []string{g.BusID}}
		if len(g.MIG) > 0 {
			p.ids = nil
		}
		for _, m := range g.MIG {
			p.ids = append(p.ids, g.instance(m).ids...)
		}
		all = append(all, p)
	}
	return all
}

// parts are the GPUs and all of their instances.
func (gpus Inventory) parts() []part {
	all := gpus.wholes()
	for _, g := range gpus {
		for _, m := range g.MIG {
			all = append(all, g.instance(m))
		}
	}
	return all
}

func (g GPU) instance(m Instance) part {
	if m.UUID == "" {
		return part{names: []string{m.Name}, ids: []string{g.UUID + "/" + m.Name}, buses: []string{g.BusID}}
	}
	return part{names: []string{m.Name, m.UUID}, ids: []string{m.UUID}, buses: []string{g.BusID}}
}

// named returns the part of a name, which may be a qualified one.
func (gpus Inventory) named(name string) (part, bool) {
	name = strings.TrimPrefix(name, kind+"=")
	parts := gpus.parts()
	if name == "all" {
		return gpus.all(), true
	}
	i := slices.IndexFunc(parts, func(p part) bool {
		return slices.ContainsFunc(p.names, func(own string) bool { return strings.EqualFold(own, name) })
	})
	if i < 0 {
		return part{}, false
	}
	return parts[i], true
}

func (gpus Inventory) all() part {
	all := part{names: []string{"all"}}
	for _, p := range gpus.wholes() {
		all.ids = append(all.ids, p.ids...)
		all.buses = append(all.buses, p.buses...)
	}
	return all
}

// find returns the devices that requests mean. described is what NVIDIA's are
// described by.
func (gpus Inventory) find(requests []spec.GPURequest, described Described) ([]device, error) {
	var found []device
	for _, r := range requests {
		devices, err := gpus.meant(r, described)
		if err != nil {
			return nil, err
		}
		for _, d := range devices {
			if !slices.ContainsFunc(found, func(other device) bool { return other.cdi == d.cdi }) {
				found = append(found, d)
			}
		}
	}
	return found, nil
}

func (gpus Inventory) meant(r spec.GPURequest, described Described) ([]device, error) {
	var parts []part
	switch {
	case r.Count == spec.AllGPUs && described.has("all"):
		parts = []part{gpus.all()}
	case r.Count == spec.AllGPUs:
		parts = gpus.wholes()
	case r.Count > len(gpus):
		return nil, fmt.Errorf("%s asked for, and this host has %d (see: dockhostctl gpu)", isAre(r.Count), len(gpus))
	default:
		parts = gpus.wholes()[:r.Count]
	}
	var devices []device
	for _, p := range parts {
		d, err := p.device(described)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	for _, name := range r.Devices {
		d, err := gpus.deviceOf(name, described)
		if err != nil {
			return nil, err
		}
		devices = append(devices, d)
	}
	return devices, nil
}

// deviceOf returns the device of a name: an index, a UUID, or a qualified name.
func (gpus Inventory) deviceOf(name string, described Described) (device, error) {
	short, ours := strings.CutPrefix(name, kind+"=")
	if spec.IsCDI(name) && !ours {
		return device{cdi: name}, nil
	}
	if p, found := gpus.named(short); found {
		return p.device(described)
	}
	// A spec may have names that only the driver's library knows.
	if described.has(short) {
		return device{cdi: kind + "=" + short, ids: []string{short}}, nil
	}
	return device{}, fmt.Errorf("GPU %s is asked for, and this host has %s (see: dockhostctl gpu)", short, gpus)
}

// device returns the device by which a part is described.
func (p part) device(described Described) (device, error) {
	for _, name := range p.names {
		if described.has(name) {
			return device{cdi: kind + "=" + name, ids: p.ids, buses: p.buses}, nil
		}
	}
	if len(p.ids) > 1 || len(p.ids) == 1 && p.ids[0] != p.names[len(p.names)-1] {
		return device{}, fmt.Errorf("GPU %s is split into MIG instances, and cannot be had whole: name them, as %s:0 (see: dockhostctl gpu)", p.names[0], p.names[0])
	}
	return device{}, fmt.Errorf("GPU %s is there, but the CDI spec %s does not describe it (make it anew, or remove it)", p.names[0], described.Path)
}

// String says what there is: "GPUs 0 and 1".
func (gpus Inventory) String() string {
	var names []string
	for _, g := range gpus {
		if len(g.MIG) == 0 {
			names = append(names, strconv.Itoa(g.Index))
		}
		for _, m := range g.MIG {
			names = append(names, g.instance(m).names[0])
		}
	}
	switch len(names) {
	case 0:
		return "no GPU"
	case 1:
		return "GPU " + names[0] + " alone"
	}
	last := len(names) - 1
	return "GPUs " + strings.Join(names[:last], ", ") + " and " + names[last]
}

func isAre(count int) string {
	if count == 1 {
		return "1 GPU is"
	}
	return fmt.Sprintf("%d GPUs are", count)
}
