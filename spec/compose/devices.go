package compose

import (
	"path"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// addDevices sets the device nodes and the requests for GPUs.
func (d *declaration) addDevices(resources *container.Resources) {
	var cdi []string
	for i, device := range d.service.Devices {
		at := d.entry("devices", i, len(d.service.Devices))
		if device.Source == device.Target && spec.IsCDI(device.Source) {
			cdi = append(cdi, device.Source)
			continue
		}
		mapping := container.DeviceMapping{
			PathOnHost: device.Source, PathInContainer: device.Target, CgroupPermissions: device.Permissions,
		}
		if mapping.PathInContainer == "" {
			mapping.PathInContainer = mapping.PathOnHost
		}
		if mapping.CgroupPermissions == "" {
			mapping.CgroupPermissions = "rwm"
		}
		d.checkDevice(at, mapping)
		resources.Devices = append(resources.Devices, mapping)
	}
	if cdi != nil {
		d.addRequest(resources, d.field("devices"), container.DeviceRequest{Driver: "cdi", DeviceIDs: cdi})
	}
	d.addGPUs(resources)
}

func (d *declaration) checkDevice(at spot, device container.DeviceMapping) {
	for _, name := range []string{device.PathOnHost, device.PathInContainer} {
		if !path.IsAbs(name) {
			d.Errorf(at, "cannot use %q as a device: write an absolute path, or a CDI name such as nvidia.com/gpu=all", document.Shorten(name))
			return
		}
	}
	if strings.Trim(device.CgroupPermissions, "rwm") != "" {
		d.Errorf(at, "cannot use %q as device permissions: use r, w and m", document.Shorten(device.CgroupPermissions))
	}
}

// addGPUs adds the requests in gpus and deploy.resources.reservations.devices.
func (d *declaration) addGPUs(resources *container.Resources) {
	for i, gpu := range d.service.Gpus {
		capabilities := slices.Clone(gpu.Capabilities)
		if !slices.Contains(capabilities, "gpu") {
			capabilities = append(capabilities, "gpu")
		}
		d.addRequest(resources, d.entry("gpus", i, len(d.service.Gpus)), request(gpu, capabilities))
	}
	if d.service.Deploy == nil || d.service.Deploy.Resources.Reservations == nil {
		return
	}
	devices := d.service.Deploy.Resources.Reservations.Devices
	declared := d.field("deploy").Field("resources").Field("reservations").Field("devices")
	spots := make([]spot, len(devices))
	for i := range spots {
		spots[i] = declared
	}
	for i, item := range declared.Items() {
		if i < len(spots) {
			spots[i] = item
		}
	}
	for i, device := range devices {
		d.addRequest(resources, spots[i], request(device, device.Capabilities))
	}
}

// addRequest adds a device request to Docker, and records its place.
func (d *declaration) addRequest(resources *container.Resources, at spot, request container.DeviceRequest) {
	resources.DeviceRequests = append(resources.DeviceRequests, request)
	d.deviceSpots = append(d.deviceSpots, at)
}

// gpuOptions reads x-dockhost.gpu: the mode, or a mapping.
func (d *declaration) gpuOptions(at spot) *spec.GPUOptions {
	o := &spec.GPUOptions{}
	set := func(name string, value spot) {
		if !value.IsScalar() || value.IsNull() {
			d.Errorf(value, "not a value: write a word or a time")
		} else if err := o.Set(name, value.Text()); err != nil {
			d.Errorf(value, "%v", err)
		}
	}
	switch {
	case at.IsNull():
		return nil
	case at.IsScalar():
		set("mode", at)
	case !at.IsMapping():
		d.Errorf(at, "not a mapping: write mode:, wait:, exclusive:, check: or on_loss: below it, indented, or just the mode")
	}
	for name, value := range at.Fields() {
		if !slices.Contains(spec.GPUOptionNames(), name) {
			d.UnknownKey(value, name, spec.GPUOptionNames(), "")
			continue
		}
		set(name, value)
	}
	return o
}

// applyGPU moves the device requests that dockhost grants itself from Docker's
// settings to dockhost's.
func (d *declaration) applyGPU(c *spec.Container) {
	c.ApplyGPU(d.gpu, func(i int, err error) {
		switch i {
		case spec.GPUOptionsWrong:
			d.Errorf(d.dockhost.Field("gpu"), "%v", err)
		case spec.GPUVariableWrong:
			d.Errorf(d.field("environment"), "%v", err)
		default:
			d.Errorf(d.deviceSpots[i], "%v", err)
		}
	})
}
