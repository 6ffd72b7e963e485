package gpu

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"tags.cncf.io/container-device-interface/pkg/cdi"
	cdispecs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/gpu/attachment"
)

// Files is the host as its files show it.
type Files struct {
	// Root is the host's file tree, "/" but in a test.
	Root string
}

// NVIDIA implements [Host].
func (f Files) NVIDIA(context.Context, []string, func(attachment.Message)) (Inventory, Described, error) {
	driver := f.driver()
	if !driver.Loaded {
		return nil, Described{}, errors.New(f.noDriver())
	}
	gpus, err := f.gpus()
	if err != nil {
		return nil, Described{}, err
	}
	if len(gpus) == 0 {
		return nil, Described{}, fmt.Errorf("the NVIDIA driver %s is loaded, and finds no GPU (see: dmesg | grep NVRM)", driver.Version)
	}
	found, err := f.nvidiaSpec()
	if err != nil {
		return nil, Described{}, err
	}
	return gpus, describedBy(found), nil
}

// describedBy is what a spec describes.
func describedBy(s *cdi.Spec) Described {
	d := Described{Path: s.GetPath()}
	for _, device := range s.Devices {
		d.Names = append(d.Names, device.Name)
	}
	d.Edits = func(names ...string) (*cdispecs.ContainerEdits, error) {
		made := (&cdi.ContainerEdits{}).Append(&cdi.ContainerEdits{ContainerEdits: &s.ContainerEdits})
		for _, name := range names {
			device := s.GetDevice(name)
			if device == nil {
				return nil, fmt.Errorf("it does not describe %s", name)
			}
			made = made.Append(&cdi.ContainerEdits{ContainerEdits: &device.ContainerEdits})
		}
		return made.ContainerEdits, nil
	}
	return d
}

// nvidiaSpec is the CDI spec that describes NVIDIA's GPUs.
func (f Files) nvidiaSpec() (*cdi.Spec, error) {
	specs, err := f.Specs()
	if err != nil {
		return nil, err
	}
	var found *cdi.Spec
	for _, s := range specs.GetVendorSpecs("nvidia.com") {
		if s.GetClass() == "gpu" && (found == nil || s.GetPriority() > found.GetPriority()) {
			found = s
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no CDI spec in %s describes %s%s (make one with: nvidia-ctk cdi generate --output=/var/run/cdi/nvidia.yaml)",
			strings.Join(specs.GetSpecDirectories(), ", "), kind, broken(specs))
	}
	return found, nil
}

// driverVersion finds the version in what the driver says of itself.
var driverVersion = regexp.MustCompile(`Kernel Module.*?\s([0-9]+(?:\.[0-9]+)+)`)

// driver is the kernel driver.
func (f Files) driver() Driver {
	raw, err := os.ReadFile(filepath.Join(f.Root, "proc/driver/nvidia/version"))
	if err != nil {
		return Driver{}
	}
	d := Driver{Loaded: true}
	if found := driverVersion.FindStringSubmatch(string(raw)); found != nil {
		d.Version = found[1]
	}
	return d
}

// noDriver says that there is no driver, and why that may be.
func (f Files) noDriver() string {
	if count := f.onBus(); count > 0 {
		return fmt.Sprintf("no NVIDIA driver is loaded, and %s on the PCI bus (load it with: modprobe nvidia; see: dmesg | grep -e NVRM -e nouveau)", isAre(count))
	}
	return "no NVIDIA driver is loaded, and no NVIDIA GPU is on the PCI bus (choose a machine with one, or remove gpus)"
}

// onBus is how many of NVIDIA's GPUs are on the PCI bus: class 03, display
// controller.
func (f Files) onBus() int {
	devices, _ := filepath.Glob(filepath.Join(f.Root, "sys/bus/pci/devices/*"))
	count := 0
	for _, device := range devices {
		vendor, _ := os.ReadFile(filepath.Join(device, "vendor"))
		class, _ := os.ReadFile(filepath.Join(device, "class"))
		if strings.HasPrefix(string(vendor), "0x10de") && strings.HasPrefix(string(class), "0x03") {
			count++
		}
	}
	return count
}

// gpus are those that the driver knows, in the order of the PCI bus, which is
// that of their indices.
func (f Files) gpus() (Inventory, error) {
	found, err := filepath.Glob(filepath.Join(f.Root, "proc/driver/nvidia/gpus/*/information"))
	if err != nil {
		return nil, err
	}
	var gpus Inventory
	for i, path := range found {
		raw, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("find GPUs: %w", err)
		}
		g := GPU{Index: i, Minor: i, BusID: filepath.Base(filepath.Dir(path))}
		for line := range strings.SplitSeq(string(raw), "\n") {
			name, value, _ := strings.Cut(line, ":")
			value = strings.TrimSpace(value)
			switch strings.TrimSpace(name) {
			case "Model":
				g.Model = value
			case "GPU UUID":
				g.UUID = value
			case "Device Minor":
				if minor, err := strconv.Atoi(value); err == nil {
					g.Minor = minor
				}
			}
		}
		gpus = append(gpus, g)
	}
	return gpus, nil
}

// Inspect returns what there is.
func (f Files) Inspect() (Found, error) {
	found := Found{Driver: f.driver(), CDI: CDI{Devices: []string{}, Stale: []Stale{}}}
	var err error
	if found.GPUs, err = f.gpus(); err != nil {
		return found, err
	}
	if !found.Driver.Loaded {
		found.Problems = []string{f.noDriver()}
		return found, nil
	}
	spec, err := f.nvidiaSpec()
	if err != nil {
		found.Problems = []string{err.Error()}
		return found, nil //nolint:nilerr // what is wrong is what was found
	}
	found.CDI.Source, found.CDI.Devices = spec.GetPath(), describedBy(spec).Names
	return found, nil
}

// Specs implements [Host].
func (f Files) Specs() (*cdi.Cache, error) {
	dirs := []string{filepath.Join(f.Root, "etc/cdi"), filepath.Join(f.Root, "var/run/cdi")}
	return cdi.NewCache(cdi.WithSpecDirs(dirs...), cdi.WithAutoRefresh(false))
}
