package gpu

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	containerdevices "tags.cncf.io/container-device-interface/pkg/cdi"

	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/cdispec"
)

const (
	// driverPatience is how long a driver that is being loaded may take for its
	// GPUs. Where there is none, nothing is waited for.
	driverPatience = 30 * time.Second
	// stateDir keeps what describes the GPUs.
	stateDir = "/var/lib/dockhost/nvidia"
)

// Machine is the host itself.
type Machine struct {
	// Root is the host's file tree, "/" but in a test.
	Root string
}

// NVIDIA implements [Host].
func (m Machine) NVIDIA(ctx context.Context, capabilities []string, tell func(attachment.Message)) (Inventory, Described, error) {
	found, err := nvidia.Prepare(ctx, nvidia.Options{
		Root:     m.Root,
		Modeset:  slices.Contains(capabilities, "graphics") || slices.Contains(capabilities, "display"),
		Wait:     driverPatience,
		Progress: func(status string) { tell(attachment.Message{Status: status}) },
	})
	if err != nil {
		return nil, Described{}, err
	}
	if err := unusable(found); err != nil {
		return nil, Described{}, err
	}
	source, err := cdispec.Ensure(ctx, found, m.options())
	if err != nil {
		return nil, Described{}, err
	}
	for _, stale := range source.Stale {
		tell(attachment.Message{Warning: fmt.Sprintf("%s is not used: %s (make it anew, or remove it)", stale.Path, stale.Why)})
	}
	return usable(found), Described{Path: source.Path, Names: source.Devices(), Edits: source.Edits}, nil
}

// Specs implements [Host].
func (m Machine) Specs() (*containerdevices.Cache, error) {
	dirs := []string{filepath.Join(m.Root, "etc/cdi"), filepath.Join(m.Root, "var/run/cdi")}
	return containerdevices.NewCache(containerdevices.WithSpecDirs(dirs...), containerdevices.WithAutoRefresh(false))
}

func (m Machine) options() cdispec.Options { return cdispec.Options{Root: m.Root, State: stateDir} }

// unusable says why no GPU can be used, and what to do; nil where one can.
func unusable(found *nvidia.Inventory) error {
	if p := found.Driver.Problem; p != nil {
		return fmt.Errorf("%s (%s)", p.What, p.Cure)
	}
	if len(usable(found)) == 0 {
		return errors.New("this host has no NVIDIA GPU (choose a machine with one, or remove gpus)")
	}
	return nil
}

// usable are the GPUs that programs can use.
func usable(found *nvidia.Inventory) Inventory {
	var gpus Inventory
	for _, g := range found.GPUs {
		if !g.Usable() {
			continue
		}
		made := GPU{Index: g.Index, UUID: g.UUID, BusID: g.BusID, Model: g.Model, Minor: g.Minor}
		for _, part := range g.MIG {
			made.MIG = append(made.MIG, Instance{Name: part.Name})
		}
		gpus = append(gpus, made)
	}
	return gpus
}

// Inspect returns what there is, and changes nothing.
func (m Machine) Inspect() (Found, error) {
	there, err := nvidia.Discover(m.Root)
	if err != nil {
		return Found{}, err
	}
	found := Found{
		Driver: Driver{Loaded: there.Driver.Loaded, Version: there.Driver.Version},
		GPUs:   usable(there),
		CDI:    CDI{Devices: []string{}, Stale: []Stale{}},
	}
	if err := unusable(there); err != nil {
		found.Problems = []string{err.Error()}
		return found, nil //nolint:nilerr // what is wrong is what was found
	}
	if len(there.Switches) > 0 && !there.FabricManager {
		found.Problems = append(found.Problems, "the GPUs are joined by NVSwitch, and nvidia-fabricmanager does not answer: they compute nothing without it (see: systemctl status nvidia-fabricmanager)")
	}
	if !there.Persistence {
		found.Notes = append(found.Notes, "persistence mode is off: the first use of an idle GPU takes seconds (systemctl enable --now nvidia-persistenced)")
	}
	source, stale := cdispec.Find(there, m.options())
	for _, s := range stale {
		found.CDI.Stale = append(found.CDI.Stale, Stale{Path: s.Path, Why: s.Why})
	}
	if source != nil {
		found.CDI.Source, found.CDI.By, found.CDI.Devices = source.Path, string(source.By), source.Devices()
	}
	return found, nil
}
