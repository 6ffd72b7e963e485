package gpu

import (
	"slices"
	"strconv"
	"strings"
)

// Pool has the GPUs of the host that containers can be given, in the order of
// their indices.
type Pool []Card

// Card is one GPU of the pool.
type Card struct {
	// Index is nvidia-smi's number of the GPU, and UUID its identifier ("GPU-...").
	Index int
	UUID  string
	// BusID is its address on the PCI bus ("0000:01:00.0").
	BusID string
	// Model is its name, Minor the minor number of its device node.
	Model string
	Minor int
	// MIG has the instances into which the GPU is split, none if it is whole.
	MIG []Instance
}

// Instance is a part of a GPU (Multi-Instance GPU).
type Instance struct {
	// Name is its number, such as "0:1", and UUID its identifier ("MIG-..."), or ""
	// if only the driver's library knows it.
	Name string
	UUID string
}

// part is a GPU or a MIG instance.
type part struct {
	// names are the names under which it can be requested: its index and its UUID.
	names []string
	// ids are its UUID, or the UUIDs of its instances.
	ids []string
	// buses is its address on the PCI bus.
	buses []string
}

// wholes returns each GPU as one part, also those that are split.
func (pool Pool) wholes() []part {
	var all []part
	for _, card := range pool {
		p := part{names: []string{strconv.Itoa(card.Index), card.UUID}, ids: []string{card.UUID}, buses: []string{card.BusID}}
		if len(card.MIG) > 0 {
			p.ids = nil
		}
		for _, m := range card.MIG {
			p.ids = append(p.ids, card.instance(m).ids...)
		}
		all = append(all, p)
	}
	return all
}

// parts returns the GPUs and all of their instances.
func (pool Pool) parts() []part {
	all := pool.wholes()
	for _, card := range pool {
		for _, m := range card.MIG {
			all = append(all, card.instance(m))
		}
	}
	return all
}

func (card Card) instance(m Instance) part {
	if m.UUID == "" {
		return part{names: []string{m.Name}, ids: []string{card.UUID + "/" + m.Name}, buses: []string{card.BusID}}
	}
	return part{names: []string{m.Name, m.UUID}, ids: []string{m.UUID}, buses: []string{card.BusID}}
}

// named returns the part with a name, which may be a qualified CDI name.
func (pool Pool) named(name string) (part, bool) {
	name = strings.TrimPrefix(name, kind+"=")
	parts := pool.parts()
	if name == "all" {
		return pool.all(), true
	}
	i := slices.IndexFunc(parts, func(p part) bool {
		return slices.ContainsFunc(p.names, func(own string) bool { return strings.EqualFold(own, name) })
	})
	if i < 0 {
		return part{}, false
	}
	return parts[i], true
}

// all returns all GPUs as one part.
func (pool Pool) all() part {
	all := part{names: []string{"all"}}
	for _, p := range pool.wholes() {
		all.ids = append(all.ids, p.ids...)
		all.buses = append(all.buses, p.buses...)
	}
	return all
}

// String lists the pool for an error: "GPUs 0 and 1".
func (pool Pool) String() string {
	var names []string
	for _, card := range pool {
		if len(card.MIG) == 0 {
			names = append(names, strconv.Itoa(card.Index))
		}
		for _, m := range card.MIG {
			names = append(names, card.instance(m).names[0])
		}
	}
	switch len(names) {
	case 0:
		return "no GPU"
	case 1:
		return "only GPU " + names[0]
	}
	last := len(names) - 1
	return "GPUs " + strings.Join(names[:last], ", ") + " and " + names[last]
}
