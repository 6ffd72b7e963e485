package compose

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/docker/docker/api/types/container"
)

// cdiName is a qualified CDI device name, VENDOR/CLASS=NAME
// (https://github.com/cncf-tags/container-device-interface, SPEC.md).
var cdiName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*/[A-Za-z][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$`)

// addDevices sets the device nodes and the requests for GPUs.
func (d *declaration) addDevices(made *container.Resources) {
	var cdi []string
	for i, device := range d.service.Devices {
		at := d.entry("devices", i, len(d.service.Devices))
		if device.Source == device.Target && cdiName.MatchString(device.Source) {
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
		made.Devices = append(made.Devices, mapping)
	}
	if cdi != nil {
		made.DeviceRequests = append(made.DeviceRequests, container.DeviceRequest{Driver: "cdi", DeviceIDs: cdi})
	}
	d.addGPUs(made)
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

// addGPUs sets what gpus and deploy.resources.reservations.devices ask for.
func (d *declaration) addGPUs(made *container.Resources) {
	for _, gpu := range d.service.Gpus {
		capabilities := slices.Clone(gpu.Capabilities)
		if !slices.Contains(capabilities, "gpu") {
			capabilities = append(capabilities, "gpu")
		}
		made.DeviceRequests = append(made.DeviceRequests, request(gpu, capabilities))
	}
	if d.service.Deploy == nil || d.service.Deploy.Resources.Reservations == nil {
		return
	}
	for _, device := range d.service.Deploy.Resources.Reservations.Devices {
		made.DeviceRequests = append(made.DeviceRequests, request(device, device.Capabilities))
	}
}
