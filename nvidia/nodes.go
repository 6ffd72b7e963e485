package nvidia

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The fixed numbers of NVIDIA's driver: the major number of its devices, and minor
// numbers that no GPU has.
const (
	frontendMajor = 195
	modesetMinor  = 254
	controlMinor  = 255
)

// node is a device node of the driver.
type node struct {
	path  string
	major uint32
	minor uint32
	mode  uint32
}

// parameters are the module's parameters about device nodes.
type parameters struct {
	uid, gid int
	mode     uint32
	modify   bool // false: the administrator makes the nodes
}

// nodes returns the device nodes that the host should have. A device whose major
// number is not in /proc/devices has no node, since its module is not loaded.
func (h host) nodes(i *Inventory) []node {
	p := h.parameters()
	frontend := uint32(frontendMajor)
	for _, name := range []string{"nvidia", "nvidia-frontend", "nvidiactl"} {
		if major, ok := i.Majors[name]; ok {
			frontend = major
			break
		}
	}
	nodes := []node{{"/dev/nvidiactl", frontend, controlMinor, p.mode}}
	for _, g := range i.GPUs {
		if g.Usable() {
			nodes = append(nodes, node{fmt.Sprintf("/dev/nvidia%d", g.Minor), frontend, uint32(g.Minor), p.mode}) //nolint:gosec // Usable: not negative
		}
	}
	if major, ok := i.Majors["nvidia-modeset"]; ok {
		nodes = append(nodes, node{"/dev/nvidia-modeset", major, modesetMinor, p.mode})
	}
	if major, ok := i.Majors["nvidia-uvm"]; ok {
		nodes = append(nodes, node{"/dev/nvidia-uvm", major, 0, p.mode}, node{"/dev/nvidia-uvm-tools", major, 1, p.mode})
	}
	return append(nodes, h.capNodes(i)...)
}

// capNodes returns the device nodes for MIG: those of the instances, and the two with
// which an administrator configures and monitors them.
func (h host) capNodes(i *Inventory) []node {
	major, ok := i.Majors["nvidia-caps"]
	if !ok {
		return nil
	}
	var nodes []node
	seen := map[int]bool{}
	add := func(minor int, mode uint32) {
		if !seen[minor] {
			seen[minor] = true
			nodes = append(nodes, node{fmt.Sprintf("/dev/nvidia-caps/nvidia-cap%d", minor), major, uint32(minor), mode}) //nolint:gosec // the kernel has no negative minors
		}
	}
	for _, g := range i.GPUs {
		for _, m := range g.MIG {
			add(m.Caps[0], 0o444)
			add(m.Caps[1], 0o444)
		}
	}
	if len(nodes) == 0 {
		return nil
	}
	for name, mode := range map[string]uint32{"config": 0o400, "monitor": 0o444} {
		if minor, err := h.capability(procDriver + "/capabilities/mig/" + name); err == nil {
			add(minor, mode)
		}
	}
	return nodes
}

// missing returns the nodes that /dev lacks or has with other numbers, for example
// after the driver was reloaded. Nodes that an administrator made may have any
// numbers.
func (h host) missing(i *Inventory) []string {
	var missing []string
	exact := h.parameters().modify
	for _, n := range h.nodes(i) {
		if !h.has(n, exact) {
			missing = append(missing, n.path)
		}
	}
	return missing
}

// has says whether the node exists, and with exact, whether its numbers match.
func (h host) has(n node, exact bool) bool {
	var st unix.Stat_t
	if err := unix.Stat(h.path(n.path), &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return false
	}
	return !exact || unix.Major(st.Rdev) == n.major && unix.Minor(st.Rdev) == n.minor
}

// parameters reads /proc/driver/nvidia/params. A missing parameter has the driver's
// default.
func (h host) parameters() parameters {
	p := parameters{mode: 0o666, modify: true}
	for line := range strings.Lines(h.read(procDriver + "/params")) {
		key, value, _ := strings.Cut(line, ":")
		n, err := strconv.ParseUint(strings.TrimSpace(value), 10, 32)
		if err != nil {
			continue
		}
		switch key {
		case "DeviceFileUID":
			p.uid = int(n)
		case "DeviceFileGID":
			p.gid = int(n)
		case "DeviceFileMode":
			p.mode = uint32(n)
		case "ModifyDeviceFiles":
			p.modify = n != 0
		}
	}
	return p
}

// makeNodes makes the missing device nodes, unless the module's parameters leave
// that to the administrator.
func (h host) makeNodes(i *Inventory) error {
	p := h.parameters()
	if !p.modify {
		return nil
	}
	for _, n := range h.nodes(i) {
		if h.has(n, true) {
			continue
		}
		if err := h.make(n, p); err != nil {
			return fmt.Errorf("make %s: %w", n.path, err)
		}
	}
	return nil
}

// make makes a node under a temporary name and renames it, so that its mode and owner
// are right as soon as it is visible.
func (h host) make(n node, p parameters) error {
	path := h.path(n.path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // below /dev
		return err
	}
	temporary := path + ".dockhost"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	number := int(unix.Mkdev(n.major, n.minor)) //nolint:gosec // as mknod(2) takes it
	if err := unix.Mknod(temporary, unix.S_IFCHR|n.mode, number); err != nil {
		return err
	}
	// The umask has reduced the mode.
	err := errors.Join(os.Chmod(temporary, os.FileMode(n.mode)), os.Chown(temporary, p.uid, p.gid))
	if err == nil {
		err = os.Rename(temporary, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return nil
}

// linkNodes makes the links /dev/char/MAJOR:MINOR for the driver's nodes. udev does
// not make them, because the driver registers no devices with it. Without the link,
// runc before 1.1.7 drops a device's rule under Docker's systemd cgroup driver.
func (h host) linkNodes(i *Inventory) error {
	for _, n := range h.nodes(i) {
		if !h.has(n, true) {
			continue
		}
		link := h.path(fmt.Sprintf("/dev/char/%d:%d", n.major, n.minor))
		target := filepath.Join("..", strings.TrimPrefix(n.path, "/dev/"))
		if current, err := os.Readlink(link); err == nil && current == target {
			continue
		}
		if err := replaceLink(target, link); err != nil {
			return fmt.Errorf("link %s: %w", link, err)
		}
	}
	return nil
}

func replaceLink(target, link string) error {
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil { //nolint:gosec // below /dev
		return err
	}
	temporary := link + ".dockhost"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, temporary); err != nil {
		return err
	}
	return os.Rename(temporary, link)
}
