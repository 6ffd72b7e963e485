package spec

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
)

// GPUNeeds is a container's request for devices of the host, and what the supervisor
// does about them. The devices are NVIDIA's GPUs, and any other device that has
// a name of the Container Device Interface (CDI).
type GPUNeeds struct {
	// Requests are granted all together or not at all.
	Requests []GPURequest `json:"requests"`
	// Wait is how long a start waits for missing GPUs; 0 means not at all.
	Wait time.Duration `json:"wait,omitempty"`
	// Exclusive keeps all other containers from the GPUs.
	Exclusive bool `json:"exclusive,omitempty"`
	// Check is the interval at which the devices are opened from inside the
	// container, to see that they still work; 0 means never.
	Check time.Duration `json:"check,omitempty"`
	// OnLoss is the reaction when a check finds that a GPU is lost.
	OnLoss GPULoss `json:"on_loss,omitempty"`
}

// GPURequest is one request for devices: Count or Devices is set.
type GPURequest struct {
	// Count is the number of GPUs, starting at index 0, or [AllGPUs].
	Count int `json:"count,omitempty"`
	// Devices are indexes ("0", "0:1" for a MIG instance), UUIDs ("GPU-...",
	// "MIG-..."), or qualified names of CDI devices ("nvidia.com/gpu=0").
	Devices []string `json:"devices,omitempty"`
	// Capabilities are driver capabilities, as in NVIDIA_DRIVER_CAPABILITIES.
	Capabilities []string `json:"capabilities,omitempty"`
}

// AllGPUs is the [GPURequest.Count] that requests all GPUs.
const AllGPUs = -1

// GPULoss is the reaction to a lost GPU.
type GPULoss string

const (
	// LossReport shows the loss in the status.
	LossReport GPULoss = ""
	// LossRestart stops the container, so that systemd restarts it.
	LossRestart GPULoss = "restart"
)

// MinGPUCheck is the shortest [GPUNeeds.Check]; each check starts a process.
const MinGPUCheck = time.Second

var (
	// cdiName is a qualified CDI device name, VENDOR/CLASS=NAME
	// (https://github.com/cncf-tags/container-device-interface, SPEC.md).
	cdiName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$`)
	// gpuID is the name of one device in NVIDIA_VISIBLE_DEVICES.
	gpuID = regexp.MustCompile(`^([0-9]{1,4}(:[0-9]{1,4})?|GPU-[0-9a-fA-F-]+|MIG-[0-9a-zA-Z/-]+)$`)
)

// IsCDI reports whether a name is a qualified CDI device name,
// VENDOR/CLASS=NAME.
func IsCDI(name string) bool { return cdiName.MatchString(name) }

// GPUCapabilities returns the capabilities that a request may have.
func GPUCapabilities() []string {
	return []string{"compat32", "compute", "display", "gpu", "graphics", "ngx", "nvidia", "utility", "video"}
}

// ForNVIDIA reports whether a device request to Docker is for NVIDIA's GPUs. Like
// Docker, it looks at the driver's name or, without one, at the capabilities.
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

// TakeGPURequest converts a device request to Docker into one that dockhost
// grants itself. It returns false for a request that only Docker's own drivers
// can grant. The error says what is wrong with the request.
func TakeGPURequest(from container.DeviceRequest) (GPURequest, bool, error) {
	var request GPURequest
	switch {
	case from.Driver == "cdi":
		for _, name := range from.DeviceIDs {
			if !IsCDI(name) {
				return request, true, fmt.Errorf("cannot use %q as a CDI device: write VENDOR/CLASS=NAME, such as nvidia.com/gpu=0", shorten(name))
			}
		}
		request.Devices = slices.Clone(from.DeviceIDs)
		return request, true, nil
	case !ForNVIDIA(from):
		return request, false, nil
	case len(from.Options) > 0:
		return request, true, fmt.Errorf("cannot use options: NVIDIA's GPUs take none (leave them out)")
	}
	for _, set := range from.Capabilities {
		for _, word := range set {
			if !slices.Contains(GPUCapabilities(), word) {
				return request, true, fmt.Errorf("unknown capability %q: use %s", shorten(word), strings.Join(GPUCapabilities(), ", "))
			}
			if word != "gpu" && word != "nvidia" && !slices.Contains(request.Capabilities, word) {
				request.Capabilities = append(request.Capabilities, word)
			}
		}
	}
	devices, all, err := gpuIDs(from.DeviceIDs)
	switch {
	case err != nil:
		return request, true, err
	case all, len(from.DeviceIDs) == 0 && from.Count <= 0:
		request.Count = AllGPUs
	case len(devices) > 0:
		request.Devices = devices
	default:
		request.Count = from.Count
	}
	return request, true, nil
}

// gpuIDs checks the names of GPUs. all reports whether one of them is "all".
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

// VisibleDevices is the variable that requests GPUs from NVIDIA's container
// runtime.
const VisibleDevices = "NVIDIA_VISIBLE_DEVICES"

// DriverCapabilities is the variable that tells NVIDIA's container runtime which
// parts of the driver a container needs.
const DriverCapabilities = "NVIDIA_DRIVER_CAPABILITIES"

// GPURequestOf returns the request that NVIDIA_VISIBLE_DEVICES makes in declared
// variables, and false if it makes none. The variables of an image do not count:
// images built on NVIDIA's CUDA images have "all".
func GPURequestOf(env []string) (GPURequest, bool, error) {
	value := variable(env, VisibleDevices)
	switch value {
	case "", "none", "void":
		return GPURequest{}, false, nil
	}
	devices, all, err := gpuIDs(strings.Split(value, ","))
	if err != nil {
		// The value of a variable may be a secret.
		return GPURequest{}, true, fmt.Errorf(`%s names something that is not a GPU: write all, none, or indexes such as "0" and UUIDs such as GPU-..., separated by commas`, VisibleDevices)
	}
	if all {
		return GPURequest{Count: AllGPUs}, true, nil
	}
	return GPURequest{Devices: devices}, true, nil
}

// TakeGPUs moves the device requests that dockhost grants itself from HostConfig
// to GPU. If there are no requests at all, the declared variables may make one,
// unless NVIDIA's own runtime reads them. TakeGPUs calls report with the index of
// each wrong request, or with [GPUVariableWrong].
func (c *Container) TakeGPUs(report func(i int, err error)) {
	var docker []container.DeviceRequest
	var own []GPURequest
	for i, device := range c.HostConfig.DeviceRequests {
		request, ours, err := TakeGPURequest(device)
		switch {
		case err != nil:
			report(i, err)
		case ours:
			own = append(own, request)
		default:
			docker = append(docker, device)
		}
	}
	c.HostConfig.DeviceRequests = docker
	if len(own) == 0 && len(docker) == 0 && !strings.Contains(c.Runtime, "nvidia") {
		request, exists, err := GPURequestOf(c.Config.Env)
		switch {
		case err != nil:
			report(GPUVariableWrong, err)
		case exists:
			own = append(own, request)
		}
	}
	if len(own) > 0 {
		c.GPU = &GPUNeeds{Requests: own}
	}
}

// variable returns the value of the last variable with this name.
func variable(env []string, name string) string {
	for _, entry := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}
