package cdispec

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
	specs "tags.cncf.io/container-device-interface/specs-go"
)

// Edits returns the merged edits for devices: those for all containers, then those
// of each device. A name may include the kind: "nvidia.com/gpu=0", "0", "all", a
// UUID, and "0:1" for MIG. Edits fills in type, numbers and mode of device nodes
// from the host. For an unknown name, the error lists the known ones.
func (s *Source) Edits(names ...string) (*specs.ContainerEdits, error) {
	merged := &specs.ContainerEdits{}
	add(merged, &s.spec.ContainerEdits)
	for _, name := range names {
		device, err := s.device(name)
		if err != nil {
			return nil, err
		}
		add(merged, &device.ContainerEdits)
	}
	for n, node := range merged.DeviceNodes {
		filled, err := s.host.fill(*node)
		if err != nil {
			return nil, err
		}
		merged.DeviceNodes[n] = filled
	}
	return merged, nil
}

// device finds a device by its name. Specs of older toolkits do not name devices by
// UUID, so a UUID is also looked up as the index that the inventory has for it.
func (s *Source) device(name string) (*specs.Device, error) {
	short := strings.TrimPrefix(name, Kind+"=")
	candidates := []string{short}
	for _, g := range s.inventory.GPUs {
		if g.UUID != "" && g.UUID == short && g.Index >= 0 {
			candidates = append(candidates, fmt.Sprint(g.Index))
		}
	}
	for _, candidate := range candidates {
		for n := range s.spec.Devices {
			if s.spec.Devices[n].Name == candidate {
				return &s.spec.Devices[n], nil
			}
		}
	}
	return nil, fmt.Errorf("no GPU %q in %s: it has %s", name, s.Path, strings.Join(s.Devices(), ", "))
}

// add merges edits. An entry that two devices share is added once.
func add(to, from *specs.ContainerEdits) {
	for _, env := range from.Env {
		if !slices.Contains(to.Env, env) {
			to.Env = append(to.Env, env)
		}
	}
	for _, node := range from.DeviceNodes {
		if !slices.ContainsFunc(to.DeviceNodes, func(n *specs.DeviceNode) bool { return n.Path == node.Path }) {
			to.DeviceNodes = append(to.DeviceNodes, node)
		}
	}
	for _, mount := range from.Mounts {
		if !slices.ContainsFunc(to.Mounts, func(m *specs.Mount) bool { return m.ContainerPath == mount.ContainerPath }) {
			to.Mounts = append(to.Mounts, mount)
		}
	}
	for _, hook := range from.Hooks {
		same := func(h *specs.Hook) bool {
			return h.HookName == hook.HookName && h.Path == hook.Path && slices.Equal(h.Args, hook.Args)
		}
		if !slices.ContainsFunc(to.Hooks, same) {
			to.Hooks = append(to.Hooks, hook)
		}
	}
	for _, gid := range from.AdditionalGIDs {
		if !slices.Contains(to.AdditionalGIDs, gid) {
			to.AdditionalGIDs = append(to.AdditionalGIDs, gid)
		}
	}
}

// fill completes a device node from the host's. A spec omits numbers that change with
// each boot.
func (h host) fill(node specs.DeviceNode) (*specs.DeviceNode, error) {
	if node.Type != "" && node.Type != "p" && (node.Major != 0 || node.Minor != 0) {
		return &node, nil
	}
	path := hostPath(&node)
	var st unix.Stat_t
	if err := unix.Stat(h.path(path), &st); err != nil {
		return nil, fmt.Errorf("device node %s of the GPUs: %w", path, err)
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR:
		node.Type = "c"
	case unix.S_IFBLK:
		node.Type = "b"
	default:
		return nil, fmt.Errorf("device node %s of the GPUs: it is not a device", path)
	}
	node.Major, node.Minor = int64(unix.Major(st.Rdev)), int64(unix.Minor(st.Rdev))
	if node.FileMode == nil {
		mode := os.FileMode(st.Mode & 0o777)
		node.FileMode = &mode
	}
	if node.UID == nil && node.GID == nil {
		node.UID, node.GID = &st.Uid, &st.Gid
	}
	return &node, nil
}

func hostPath(node *specs.DeviceNode) string {
	if node.HostPath != "" {
		return node.HostPath
	}
	return node.Path
}
