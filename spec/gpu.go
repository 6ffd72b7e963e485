package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// GPUNeeds is what a container asks for of the host's devices, and what its
// supervisor does about them. The devices are those of NVIDIA, and any other
// that has a name of the Container Device Interface (CDI).
type GPUNeeds struct {
	// Requests are met all together.
	Requests []GPURequest `json:"requests"`
	// Wait is how long a start waits for GPUs that are not there; 0 is not at
	// all.
	Wait time.Duration `json:"wait,omitempty"`
	// Exclusive says that no other container may have any of the GPUs.
	Exclusive bool `json:"exclusive,omitempty"`
	// Check is how often the devices are opened from within the container; 0 is
	// never.
	Check time.Duration `json:"check,omitempty"`
	// OnLoss is what follows when a check finds that a GPU is lost.
	OnLoss GPULoss `json:"on_loss,omitempty"`
}

// GPURequest is one request for devices: Count or Devices is set.
type GPURequest struct {
	// Count is how many GPUs, from index 0 on; [AllGPUs] is all there are.
	Count int `json:"count,omitempty"`
	// Devices name them: by index ("0", "0:1" for a MIG instance), by UUID
	// ("GPU-...", "MIG-..."), or by the qualified name of a CDI device
	// ("nvidia.com/gpu=0").
	Devices []string `json:"devices,omitempty"`
	// Capabilities are the driver's, in the words of NVIDIA_DRIVER_CAPABILITIES.
	Capabilities []string `json:"capabilities,omitempty"`
}

// AllGPUs is the [GPURequest.Count] of all GPUs.
const AllGPUs = -1

// GPULoss is what follows when a GPU is lost.
type GPULoss string

const (
	// LossReport has the status say so.
	LossReport GPULoss = ""
	// LossRestart ends the container, so that systemd starts it anew.
	LossRestart GPULoss = "restart"
)

// MinGPUCheck is the shortest [GPUNeeds.Check]: each starts a process.
const MinGPUCheck = time.Second

var (
	// cdiName is a qualified CDI device name, VENDOR/CLASS=NAME
	// (https://github.com/cncf-tags/container-device-interface, SPEC.md).
	cdiName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$`)
	// gpuID is what NVIDIA_VISIBLE_DEVICES calls one device.
	gpuID = regexp.MustCompile(`^([0-9]{1,4}(:[0-9]{1,4})?|GPU-[0-9a-fA-F-]+|MIG-[0-9a-zA-Z/-]+)$`)
)

// IsCDI says whether a name is a CDI device's, VENDOR/CLASS=NAME.
func IsCDI(name string) bool { return cdiName.MatchString(name) }

// GPUCapabilities are the words that a request may have.
func GPUCapabilities() []string {
	return []string{"compat32", "compute", "display", "gpu", "graphics", "ngx", "nvidia", "utility", "video"}
}

// ForNVIDIA says whether a request to the Engine is one for NVIDIA's GPUs, as
// the Engine itself would take it: by the driver's name or, without one, by
// what the driver is to be capable of.
func ForNVIDIA(request container.DeviceRequest) bool {
	if request.Driver != "" {
		return request.Driver == "nvidia"
	}
	for _, set := range request.Capabilities {
		if slices.Contains(set, "gpu") || slices.Contains(set, "nvidia") {
			return true
		}
	}
	return false
}

// TakeGPURequest turns a request to the Engine into one of dockhost's own. It
// returns false for a request that is for a driver of the Engine's alone. The
// error says what is wrong with the request.
func TakeGPURequest(from container.DeviceRequest) (GPURequest, bool, error) {
	var made GPURequest
	switch {
	case from.Driver == "cdi":
		for _, name := range from.DeviceIDs {
			if !IsCDI(name) {
				return made, true, fmt.Errorf("cannot use %q as a CDI device: write VENDOR/CLASS=NAME, such as nvidia.com/gpu=0", shorten(name))
			}
		}
		made.Devices = slices.Clone(from.DeviceIDs)
		return made, true, nil
	case !ForNVIDIA(from):
		return made, false, nil
	case len(from.Options) > 0:
		return made, true, fmt.Errorf("cannot use options: NVIDIA's GPUs have none (leave them out)")
	}
	for _, set := range from.Capabilities {
		for _, word := range set {
			if !slices.Contains(GPUCapabilities(), word) {
				return made, true, fmt.Errorf("unknown capability %q: use %s", shorten(word), strings.Join(GPUCapabilities(), ", "))
			}
			if word != "gpu" && word != "nvidia" && !slices.Contains(made.Capabilities, word) {
				made.Capabilities = append(made.Capabilities, word)
			}
		}
	}
	devices, all, err := gpuIDs(from.DeviceIDs)
	switch {
	case err != nil:
		return made, true, err
	case all, len(from.DeviceIDs) == 0 && from.Count <= 0:
		made.Count = AllGPUs
	case len(devices) > 0:
		made.Devices = devices
	default:
		made.Count = from.Count
	}
	return made, true, nil
}

// gpuIDs checks the names of GPUs, and says whether all of them are meant.
func gpuIDs(names []string) (devices []string, all bool, err error) {
	for _, name := range names {
		switch {
		case name == "all":
			all = true
		case gpuID.MatchString(name) || IsCDI(name):
			devices = append(devices, name)
		default:
			return nil, false, fmt.Errorf(`cannot use %q as a GPU: write an index such as "0", "0:1" for a MIG instance, or a UUID such as GPU-... (see: dockhostctl gpu)`, shorten(name))
		}
	}
	return devices, all, nil
}

// VisibleDevices names the variable by which NVIDIA's container runtime is
// asked for GPUs.
const VisibleDevices = "NVIDIA_VISIBLE_DEVICES"

// DriverCapabilities names the variable by which NVIDIA's container runtime is
// told what of the driver a container needs.
const DriverCapabilities = "NVIDIA_DRIVER_CAPABILITIES"

// GPURequestOf returns the request that declared variables make by
// NVIDIA_VISIBLE_DEVICES, and false where they make none. Those of an image,
// which has "all" where it was built on one of CUDA's, are not asked.
func GPURequestOf(env []string) (GPURequest, bool, error) {
	value := variable(env, VisibleDevices)
	switch value {
	case "", "none", "void":
		return GPURequest{}, false, nil
	}
	devices, all, err := gpuIDs(strings.Split(value, ","))
	if err != nil {
		// What stands in a variable is nobody's to see.
		return GPURequest{}, true, fmt.Errorf(`%s names something that is no GPU: write all, none, or indices such as "0" and UUIDs such as GPU-... with commas between them`, VisibleDevices)
	}
	if all {
		return GPURequest{Count: AllGPUs}, true, nil
	}
	return GPURequest{Devices: devices}, true, nil
}

// TakeGPUs moves the requests that the Engine is not to be asked for from
// HostConfig to GPU. Where there are none, the declared variables may make one,
// unless NVIDIA's own runtime reads them. at notes what is wrong with the
// request of a number, [GPUVariableWrong] for the variables.
func (c *Container) TakeGPUs(at func(i int, err error)) {
	var left []container.DeviceRequest
	var taken []GPURequest
	for i, request := range c.HostConfig.DeviceRequests {
		made, ours, err := TakeGPURequest(request)
		switch {
		case err != nil:
			at(i, err)
		case ours:
			taken = append(taken, made)
		default:
			left = append(left, request)
		}
	}
	c.HostConfig.DeviceRequests = left
	if len(taken) == 0 && len(left) == 0 && !strings.Contains(c.Runtime, "nvidia") {
		made, asked, err := GPURequestOf(c.Config.Env)
		switch {
		case err != nil:
			at(GPUVariableWrong, err)
		case asked:
			taken = append(taken, made)
		}
	}
	if len(taken) > 0 {
		c.GPU = &GPUNeeds{Requests: taken}
	}
}

// variable returns the value of the last variable of a name.
func variable(env []string, name string) string {
	value := ""
	for _, entry := range env {
		if found, ok := strings.CutPrefix(entry, name+"="); ok {
			value = found
		}
	}
	return value
}
