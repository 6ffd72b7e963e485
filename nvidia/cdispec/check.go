package cdispec

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/nvidia"
)

// maxSpec bounds a spec. The spec of a big host has about 200 KiB.
const maxSpec = 8 << 20

// host reads files below a root directory.
type host struct{ root string }

func (h host) path(path string) string { return filepath.Join(h.root, path) }

func (h host) exists(path string) bool {
	_, err := os.Stat(h.path(path))
	return err == nil
}

// specFiles returns the files in CDI's directories. As in Docker, the first one takes
// precedence.
func (h host) specFiles() []string {
	var paths []string
	for _, dir := range []string{"/run/cdi", "/etc/cdi"} {
		entries, _ := os.ReadDir(h.path(dir))
		for _, entry := range entries {
			if ext := filepath.Ext(entry.Name()); ext == ".yaml" || ext == ".json" {
				paths = append(paths, filepath.Join(dir, entry.Name()))
			}
		}
	}
	return paths
}

func (h host) read(path string) (*specs.Spec, error) {
	info, err := os.Stat(h.path(path))
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSpec {
		return nil, fmt.Errorf("it is larger than %d bytes", maxSpec)
	}
	raw, err := os.ReadFile(h.path(path))
	if err != nil {
		return nil, err
	}
	return parse(raw)
}

// parse reads a spec in YAML or JSON, which is YAML, too.
func parse(raw []byte) (*specs.Spec, error) {
	spec := &specs.Spec{}
	if err := yaml.Unmarshal(raw, spec); err != nil {
		return nil, fmt.Errorf("it is not a CDI spec: %w", err)
	}
	return spec, nil
}

// driverFile matches a file of the driver whose name contains the version.
var driverFile = regexp.MustCompile(`/lib(?:cuda|nvidia-ml)\.so\.(\d+(?:\.\d+)+)$`)

// check says why the spec does not match the host, "" if it does.
func (h host) check(spec *specs.Spec, i *nvidia.Inventory) string {
	var nodes []string
	for _, edits := range allEdits(spec) {
		if why := h.checkEdits(edits, i.Driver.Version); why != "" {
			return why
		}
		for _, node := range edits.DeviceNodes {
			nodes = append(nodes, hostPath(node))
		}
	}
	if len(spec.Devices) == 0 {
		return "it has no devices"
	}
	for _, g := range i.GPUs {
		if !g.Usable() {
			continue
		}
		if path := fmt.Sprintf("/dev/nvidia%d", g.Minor); !slices.Contains(nodes, path) {
			return fmt.Sprintf("it lacks %s (GPU %d)", path, g.Index)
		}
		for _, m := range g.MIG {
			for _, minor := range m.Caps {
				if path := fmt.Sprintf("/dev/nvidia-caps/nvidia-cap%d", minor); !slices.Contains(nodes, path) {
					return fmt.Sprintf("it lacks %s (MIG device %s)", path, m.Name)
				}
			}
		}
	}
	return ""
}

func (h host) checkEdits(edits *specs.ContainerEdits, driver string) string {
	for _, mount := range edits.Mounts {
		if match := driverFile.FindStringSubmatch(mount.HostPath); match != nil && match[1] != driver {
			return fmt.Sprintf("it is for driver %s, but %s is loaded", match[1], driver)
		}
	}
	for _, mount := range edits.Mounts {
		if strings.HasPrefix(mount.HostPath, "/") && !h.exists(mount.HostPath) {
			return fmt.Sprintf("it contains %s, which does not exist", mount.HostPath)
		}
	}
	for _, node := range edits.DeviceNodes {
		if path := hostPath(node); !h.exists(path) {
			return fmt.Sprintf("it contains %s, which does not exist", path)
		}
	}
	for _, hook := range edits.Hooks {
		if !h.exists(hook.Path) {
			return fmt.Sprintf("its hook %s does not exist", hook.Path)
		}
	}
	return ""
}

// allEdits returns the common edits and those of each device.
func allEdits(spec *specs.Spec) []*specs.ContainerEdits {
	edits := []*specs.ContainerEdits{&spec.ContainerEdits}
	for n := range spec.Devices {
		edits = append(edits, &spec.Devices[n].ContainerEdits)
	}
	return edits
}
