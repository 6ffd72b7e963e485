package nvidia

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
)

// Inventory is what a host has of NVIDIA: the driver, its GPUs and its switches.
type Inventory struct {
	Driver   Driver   `json:"driver"`
	GPUs     []GPU    `json:"gpus,omitempty"` // in the order of their bus ids, as nvidia-smi counts them
	Switches []Switch `json:"switches,omitempty"`
	// Majors has the major numbers of the driver's character devices, by their
	// names in /proc/devices: nvidia-uvm, nvidia-caps.
	Majors map[string]uint32 `json:"majors,omitempty"`
	// Missing are the paths of the driver's device nodes that /dev lacks.
	Missing []string `json:"missing,omitempty"`
	// Libraries is the version of the driver's libraries on the host, "" without
	// any. Programs fail if it differs from the driver's version.
	Libraries string `json:"libraries,omitempty"`
	// FabricManager says whether nvidia-fabricmanager's socket exists. Without it,
	// the GPUs of a host with switches cannot compute.
	FabricManager bool `json:"fabric_manager,omitempty"`
	// Persistence says whether nvidia-persistenced's socket exists. Without it, the
	// first use of an idle GPU takes seconds.
	Persistence bool `json:"persistence,omitempty"`
}

// Driver is NVIDIA's kernel driver.
type Driver struct {
	Loaded  bool   `json:"loaded"`
	Version string `json:"version,omitempty"` // 550.54.15
	Open    bool   `json:"open,omitempty"`    // NVIDIA's open kernel modules
	// Problem is why the GPUs cannot be used. It is nil if they can, or if the host
	// has neither a GPU nor a driver.
	Problem *Problem `json:"problem,omitempty"`
}

// Problem is a reason why GPUs do not work.
type Problem struct {
	Kind ProblemKind `json:"kind"`
	What string      `json:"what"` // without a full stop: "the kernel driver nouveau is bound to the GPU 0000:01:00.0"
	Cure string      `json:"cure"` // what to do: "blacklist nouveau (...)"
}

// ProblemKind names a Problem.
type ProblemKind string

// The problems. The first one that applies is reported.
const (
	NoDevice       ProblemKind = "no-device"        // the driver is loaded, but the PCI bus has no NVIDIA GPU
	OtherDriver    ProblemKind = "other-driver"     // nouveau, vfio-pci or another driver is bound to the GPU
	ModuleMissing  ProblemKind = "module-missing"   // the running kernel has no module nvidia
	NotLoaded      ProblemKind = "not-loaded"       // it has one, but it is not loaded
	GPUUnsupported ProblemKind = "gpu-unsupported"  // the driver is loaded, but did not accept the GPU
	VersionsDiffer ProblemKind = "versions-differ"  // the versions of libraries and module differ
	NoLibraries    ProblemKind = "libraries-absent" // the module is loaded, but the libraries are missing
)

// GPU is an NVIDIA GPU on the PCI bus.
type GPU struct {
	Index    int           `json:"index"` // as nvidia-smi counts; -1 if the driver did not accept it
	UUID     string        `json:"uuid,omitempty"`
	Model    string        `json:"model,omitempty"`
	BusID    string        `json:"bus_id"`             // 0000:01:00.0
	Minor    int           `json:"minor"`              // of /dev/nvidiaN, which may differ from Index; -1 without one
	NUMANode int           `json:"numa_node"`          // -1: unknown
	Bound    string        `json:"bound,omitempty"`    // the kernel driver that is bound to it
	PCIID    string        `json:"pci_id"`             // 10de:20b0
	Excluded bool          `json:"excluded,omitempty"` // by the driver's own configuration
	MIG      []MIGInstance `json:"mig,omitempty"`      // its compute instances, none without MIG
}

// Usable says whether the driver lets programs use the GPU.
func (g GPU) Usable() bool { return g.Minor >= 0 && !g.Excluded }

// Pending says whether the driver is bound to the GPU but does not list it yet. A GPU
// that it refused is not bound to it.
func (g GPU) Pending() bool { return g.Bound == "nvidia" && g.Minor < 0 }

// MIGInstance is a compute instance of a partitioned GPU. Only NVML knows its
// UUID.
type MIGInstance struct {
	Name        string `json:"name"` // GPU:N as in CDI device names, N counting from 0 on its GPU: "0:1"
	GPUInstance int    `json:"gpu_instance"`
	Instance    int    `json:"compute_instance"`
	// Caps are the minor numbers of the two device nodes below /dev/nvidia-caps that
	// a program needs: that of the GPU instance and its own.
	Caps [2]int `json:"caps"`
}

// Switch is an NVSwitch.
type Switch struct {
	BusID string `json:"bus_id"`
	Minor int    `json:"minor"` // of /dev/nvidia-nvswitchN; -1: unknown
}

// Present says whether the PCI bus has a GPU, with or without a driver.
func (i *Inventory) Present() bool { return len(i.GPUs) > 0 }

// Fingerprint changes when the driver, its libraries, the set of GPUs or their MIG
// layout change. A CDI spec stays valid as long as the fingerprint is the same.
// Major numbers, which differ from boot to boot, are not part of it.
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
