package gpu

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"tags.cncf.io/container-device-interface/pkg/cdi"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/cdispec"
)

const (
	// driverPatience is how long a driver that is loading may take to initialize
	// its GPUs. Without a GPU there is no wait.
	driverPatience = 30 * time.Second
	// stateDir keeps the generated CDI spec.
	stateDir = "/var/lib/dockhost/nvidia"
)

// Machine is the real host.
type Machine struct {
	// Root is the host's file tree: "/", or another directory in a test.
	Root string
}

// NVIDIA implements [Host].
func (m Machine) NVIDIA(ctx context.Context, capabilities []string, tell func(attachment.Message)) (Pool, Description, error) {
	inventory, err := nvidia.Prepare(ctx, nvidia.Options{
		Root:     m.Root,
		Modeset:  slices.Contains(capabilities, "graphics") || slices.Contains(capabilities, "display"),
		Wait:     driverPatience,
		Progress: func(status string) { tell(attachment.Message{Status: status}) },
	})
	if err != nil {
		return nil, Description{}, err
	}
	if err := unusable(inventory); err != nil {
		return nil, Description{}, err
	}
	source, err := cdispec.Ensure(ctx, inventory, m.options())
	if err != nil {
		return nil, Description{}, err
	}
	for _, stale := range source.Stale {
		tell(attachment.Message{Warning: fmt.Sprintf("%s is not used: %s (regenerate it or remove it)", stale.Path, stale.Why)})
	}
	return usable(inventory), Description{Path: source.Path, Names: source.Devices(), Edits: source.Edits}, nil
}

// Specs implements [Host].
func (m Machine) Specs() (*cdi.Cache, error) {
	dirs := []string{filepath.Join(m.Root, "etc/cdi"), filepath.Join(m.Root, "var/run/cdi")}
	return cdi.NewCache(cdi.WithSpecDirs(dirs...), cdi.WithAutoRefresh(false))
}

func (m Machine) options() cdispec.Options { return cdispec.Options{Root: m.Root, State: stateDir} }

// unusable says why no GPU can be used, and what to do. It returns nil if one can.
func unusable(inventory *nvidia.Inventory) error {
	if p := inventory.Driver.Problem; p != nil {
		return fmt.Errorf("%s (%s)", p.What, p.Cure)
	}
	if len(usable(inventory)) == 0 {
		return errors.New("this host has no NVIDIA GPU (choose a machine with one, or remove gpus)")
	}
	return nil
}

// usable returns the GPUs that programs can use.
func usable(inventory *nvidia.Inventory) Pool {
	var pool Pool
	for _, g := range inventory.GPUs {
		if !g.Usable() {
			continue
		}
		card := Card{Index: g.Index, UUID: g.UUID, BusID: g.BusID, Model: g.Model, Minor: g.Minor}
		for _, instance := range g.MIG {
			card.MIG = append(card.MIG, Instance{Name: instance.Name})
		}
		pool = append(pool, card)
	}
	return pool
}

// Inspection is the result of [Machine.Inspect].
type Inspection struct {
	Driver Driver
	GPUs   Pool
	CDI    CDI
	// Problems are those of the driver and its GPUs, each with what to do. A host
	// without any GPU has one, too, even if no container needs a GPU.
	Problems []string
	Notes    []string
}

// Inspect looks at the host's GPUs and changes nothing.
func (m Machine) Inspect() (Inspection, error) {
	inventory, err := nvidia.Discover(m.Root)
	if err != nil {
		return Inspection{}, err
	}
	result := Inspection{
		Driver: Driver{Loaded: inventory.Driver.Loaded, Version: inventory.Driver.Version},
		GPUs:   usable(inventory),
		CDI:    CDI{Devices: []string{}, Stale: []Stale{}},
	}
	if err := unusable(inventory); err != nil {
		result.Problems = []string{err.Error()}
		return result, nil //nolint:nilerr // the problem is part of the result
	}
	if len(inventory.Switches) > 0 && !inventory.FabricManager {
		result.Problems = append(result.Problems, "the GPUs are connected by NVSwitch and cannot compute, because nvidia-fabricmanager does not run (see: systemctl status nvidia-fabricmanager)")
	}
	if !inventory.Persistence {
		result.Notes = append(result.Notes, "persistence mode is off: the first use of an idle GPU takes seconds (systemctl enable --now nvidia-persistenced)")
	}
	source, stale := cdispec.Find(inventory, m.options())
	for _, s := range stale {
		result.CDI.Stale = append(result.CDI.Stale, Stale{Path: s.Path, Why: s.Why})
	}
	if source != nil {
		result.CDI.Source, result.CDI.By, result.CDI.Devices = source.Path, string(source.By), source.Devices()
	}
	return result, nil
}
