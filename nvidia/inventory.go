package nvidia

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Inventory is what a host has of NVIDIA's.
type Inventory struct {
	Driver   Driver   `json:"driver"`
	GPUs     []GPU    `json:"gpus,omitempty"` // in the order of their bus ids, as nvidia-smi counts them
	Switches []Switch `json:"switches,omitempty"`
	// Majors are the kernel's numbers of the driver's character devices, by
	// their names in /proc/devices: nvidia-uvm, nvidia-caps.
	Majors map[string]uint32 `json:"majors,omitempty"`
	// Missing are device nodes that the driver has and /dev has not.
	Missing []string `json:"missing,omitempty"`
	// Libraries is the version of the driver's libraries on the host, "" where
	// there are none. Programs fail where it is not the driver's.
	Libraries string `json:"libraries,omitempty"`
	// FabricManager is whether its socket is there; the GPUs of a host with
	// switches compute nothing without it.
	FabricManager bool `json:"fabric_manager,omitempty"`
	// Persistence is whether nvidia-persistenced's socket is there. Without it
	// the first use of an idle GPU takes seconds.
	Persistence bool `json:"persistence,omitempty"`
}

// Driver is the kernel's driver.
type Driver struct {
	Loaded  bool   `json:"loaded"`
	Version string `json:"version,omitempty"` // 550.54.15
	Open    bool   `json:"open,omitempty"`    // NVIDIA's open kernel modules
	// Problem is why the GPUs cannot be used, nil where they can, and where
	// there is no GPU and no driver.
	Problem *Problem `json:"problem,omitempty"`
}

// Problem is a state in which GPUs do not work.
type Problem struct {
	Kind ProblemKind `json:"kind"`
	What string      `json:"what"` // no full stop: "the driver nouveau is bound to 0000:01:00.0"
	Cure string      `json:"cure"` // "remove it from the image (...)"
}

// ProblemKind names a Problem.
type ProblemKind string

// The problems, the first that holds.
const (
	NoDevice       ProblemKind = "no-device"        // a driver, and no GPU of NVIDIA's on the PCI bus
	OtherDriver    ProblemKind = "other-driver"     // nouveau, vfio-pci or another is bound to the GPU
	ModuleMissing  ProblemKind = "module-missing"   // the running kernel has no module nvidia
	NotLoaded      ProblemKind = "not-loaded"       // it has one, which is not loaded
	GPUUnsupported ProblemKind = "gpu-unsupported"  // loaded, and it did not take the GPU
	VersionsDiffer ProblemKind = "versions-differ"  // libraries of another version than the module's
	NoLibraries    ProblemKind = "libraries-absent" // the module alone
)

// GPU is one of them.
type GPU struct {
	Index    int           `json:"index"` // as nvidia-smi counts; -1 for one that the driver did not take
	UUID     string        `json:"uuid,omitempty"`
	Model    string        `json:"model,omitempty"`
	BusID    string        `json:"bus_id"`             // 0000:01:00.0
	Minor    int           `json:"minor"`              // of /dev/nvidiaN, which need not be Index; -1 where there is none
	NUMANode int           `json:"numa_node"`          // -1: not known
	Bound    string        `json:"bound,omitempty"`    // the kernel's driver that has it
	PCIID    string        `json:"pci_id"`             // 10de:20b0
	Excluded bool          `json:"excluded,omitempty"` // by the driver's own configuration
	MIG      []MIGInstance `json:"mig,omitempty"`      // its compute instances; none where MIG is off or empty
}

// Usable is whether the driver has it and lets programs use it.
func (g GPU) Usable() bool { return g.Minor >= 0 && !g.Excluded }

// MIGInstance is a compute instance of a GPU that is partitioned. Its UUID only
// NVML knows.
type MIGInstance struct {
	Name        string `json:"name"` // GPU:N as CDI's devices are called, N counting from 0 on its GPU: "0:1"
	GPUInstance int    `json:"gpu_instance"`
	Instance    int    `json:"compute_instance"`
	// Caps are the minors of the two files below /dev/nvidia-caps that let a
	// program use it: the GPU instance's and its own.
	Caps [2]int `json:"caps"`
}

// Switch is an NVSwitch.
type Switch struct {
	BusID string `json:"bus_id"`
	Minor int    `json:"minor"` // of /dev/nvidia-nvswitchN; -1: not known
}

// Present is whether there is a GPU on the PCI bus, whatever its driver.
func (i *Inventory) Present() bool { return len(i.GPUs) > 0 }

// Fingerprint changes when the driver, the set of GPUs, their MIG layout or the
// driver's libraries do: a description of the GPUs holds as long as it is the
// same. The numbers that a boot deals out are not in it.
func (i *Inventory) Fingerprint() string {
	h := sha256.New()
	fmt.Fprintf(h, "driver %s libraries %s\n", i.Driver.Version, i.Libraries)
	for _, g := range i.GPUs {
		fmt.Fprintf(h, "gpu %s %s %d %t\n", g.BusID, g.Model, g.Minor, g.Excluded)
		for _, m := range g.MIG {
			fmt.Fprintf(h, "mig %d %d %d %d\n", m.GPUInstance, m.Instance, m.Caps[0], m.Caps[1])
		}
	}
	for _, s := range i.Switches {
		fmt.Fprintf(h, "switch %s\n", s.BusID)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
