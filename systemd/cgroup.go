package systemd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Cgroups is the host's cgroup tree: v2, or v1 with or without the hybrid v2 mount.
// Root is a prefix of the host's paths, "" on a real host.
type Cgroups struct {
	Root string
}

// cgroupMount is the directory where all distributions mount the cgroup trees.
const cgroupMount = "/sys/fs/cgroup"

// trackingController names the v1 tree in which systemd tracks processes.
const trackingController = "name=systemd"

// ErrNoService means that a process is not in a systemd service.
var ErrNoService = errors.New("not a systemd service")

// OwnUnit returns the unit of this process and the unit's cgroup path
// ("/system.slice/web.service"). The process may be in a cgroup below the unit's.
// The error is [ErrNoService] if it is not in a service. A scope, such as a login, is
// not one, even below a user's manager, which is a service.
func (c Cgroups) OwnUnit() (unit, path string, err error) {
	trees, err := c.trees("self")
	if err != nil {
		return "", "", err
	}
	own := tracking(trees)
	parts := strings.Split(own, "/")
	for i := len(parts) - 1; i > 0; i-- {
		if strings.HasSuffix(parts[i], ".service") {
			return parts[i], strings.Join(parts[:i+1], "/"), nil
		}
		if strings.HasSuffix(parts[i], ".scope") {
			break
		}
	}
	return "", "", fmt.Errorf("the process runs in the cgroup %q: %w (start it with systemctl)", own, ErrNoService)
}

// UserSocket returns the private socket of the user's manager that the unit with this
// cgroup path belongs to; "" for a unit of the system.
func UserSocket(unitPath string) string {
	if uid := UserOf(unitPath); uid != "" {
		return "/run/user/" + uid + "/systemd/private"
	}
	return ""
}

// UserOf returns the uid of the user whose manager the unit with this cgroup path belongs
// to; "" for a unit of the system.
func UserOf(unitPath string) string {
	parts := strings.Split(unitPath, "/")
	for _, part := range parts[:len(parts)-1] {
		if uid, found := strings.CutPrefix(strings.TrimSuffix(part, ".service"), "user@"); found && part != uid {
			return uid
		}
	}
	return ""
}

// EnterLeaf moves this process into the cgroup name below the unit's. On cgroup v2, no
// process may be in a cgroup whose children have controllers (cgroups(7), "no
// internal processes" rule). EnterLeaf does nothing if systemd has moved the process
// already (DelegateSubgroup=, since 254). The error is [fs.ErrPermission] if the
// process is not root and the unit has no Delegate=, and [syscall.EROFS] with
// ProtectControlGroups=.
func (c Cgroups) EnterLeaf(unitPath, name string) error {
	trees, err := c.trees("self")
	if err != nil {
		return err
	}
	leaf := filepath.Join(unitPath, name)
	for mount, path := range trees {
		if path != unitPath || !tracks(mount) {
			continue
		}
		dir := filepath.Join(mount, leaf)
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the mode of systemd's own
			return fmt.Errorf("move into the leaf cgroup (is Delegate=yes set?): %w", err)
		}
		procs := filepath.Join(dir, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return fmt.Errorf("move into the leaf cgroup: %w", err)
		}
	}
	return nil
}

// Unified says whether all controllers are in the v2 tree.
func (c Cgroups) Unified() bool {
	_, err := os.Stat(filepath.Join(c.Root, cgroupMount, "cgroup.controllers"))
	return err == nil
}

// Mounted says whether the host has a v1 tree with these controllers
// ("memory", "cpu,cpuacct", "name=systemd").
func (c Cgroups) Mounted(controllers string) bool {
	return controllers != "" && c.mount(controllers) != ""
}

// Holds says whether a process is below the unit's cgroup, and if not, in which cgroup
// it is. It looks into the v1 trees with these controllers, or, without controllers,
// into the tree in which systemd tracks processes. On a hybrid host that are two: systemd
// follows the v2 tree, and runc before 1.0 enters only the other.
func (c Cgroups) Holds(unitPath string, pid int, controllers ...string) (bool, string, error) {
	trees, err := c.trees(strconv.Itoa(pid))
	if err != nil {
		return false, "", err
	}
	paths := []string{tracking(trees)}
	if len(controllers) > 0 {
		paths = nil
	}
	for _, controller := range controllers {
		paths = append(paths, trees[c.mount(controller)])
	}
	if unified := c.mount(""); c.isHybrid(unitPath) && (len(controllers) == 0 || slices.Contains(controllers, trackingController)) {
		paths = append(paths, trees[unified])
	}
	for _, path := range paths {
		if !strings.HasPrefix(path, unitPath+"/") {
			return false, path, nil
		}
	}
	return true, "", nil
}

// isHybrid says whether systemd has created the unit's cgroup in a v2 tree beside the v1
// trees. It then follows the v2 tree.
func (c Cgroups) isHybrid(unitPath string) bool {
	mount := c.mount("")
	if mount == "" || c.Unified() {
		return false
	}
	_, err := os.Stat(filepath.Join(mount, unitPath))
	return err == nil
}

// Exists says whether the unit's cgroup exists in the tree in which systemd tracks
// processes. It does for as long as the unit runs.
func (c Cgroups) Exists(unitPath string) bool {
	for _, controllers := range []string{trackingController, ""} {
		if mount := c.mount(controllers); mount != "" {
			_, err := os.Stat(filepath.Join(mount, unitPath))
			return err == nil
		}
	}
	return false
}

// Prune removes the cgroups that a killed OCI runtime leaves below the unit's cgroup in
// the v1 trees that systemd does not manage for the unit. The kernel keeps cgroups
// that contain processes.
func (c Cgroups) Prune(unitPath string) {
	if !strings.HasSuffix(unitPath, ".service") {
		return // not the cgroup of a unit
	}
	mounts, err := filepath.Glob(filepath.Join(c.Root, cgroupMount, "*"))
	if err != nil {
		return
	}
	for _, mount := range mounts {
		if _, err := os.Stat(filepath.Join(mount, "cgroup.procs")); err != nil || tracks(mount) {
			continue
		}
		prune(filepath.Join(mount, unitPath))
	}
}

// prune removes a cgroup and all cgroups below it, the lowest first.
func prune(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.IsDir() {
			prune(filepath.Join(dir, entry.Name()))
		}
	}
	_ = os.Remove(dir)
}

// trees maps the mount point of each tree to the path of a process in it.
func (c Cgroups) trees(pid string) (map[string]string, error) {
	raw, err := os.ReadFile(filepath.Join(c.Root, "/proc", pid, "cgroup"))
	if err != nil {
		return nil, fmt.Errorf("find the cgroup of process %s: %w", pid, err)
	}
	trees := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(raw))
	for lines.Scan() {
		// "4:memory:/system.slice", "1:name=systemd:/init.scope", "0::/init.scope"
		fields := strings.SplitN(lines.Text(), ":", 3)
		if len(fields) != 3 {
			continue
		}
		if mount := c.mount(fields[1]); mount != "" {
			trees[mount] = fields[2]
		}
	}
	if len(trees) == 0 {
		return nil, fmt.Errorf("find the cgroup of process %s: no cgroup tree is mounted at %s", pid, cgroupMount)
	}
	return trees, nil
}

// mount returns the mount point of the tree with these controllers. It returns "" if
// the tree is not mounted here, since the kernel also lists trees of other mount
// namespaces. "" as controllers means the v2 tree, which is mounted at the top if
// there is no other.
func (c Cgroups) mount(controllers string) string {
	base, unified := filepath.Join(c.Root, cgroupMount), c.Unified()
	if unified && controllers == "" {
		return base
	}
	dir := filepath.Join(base, "unified")
	if controllers != "" {
		dir = filepath.Join(base, strings.TrimPrefix(controllers, "name="))
	}
	if _, err := os.Stat(dir); unified || err != nil { //nolint:gosec // the name comes from the kernel or the unit's author
		return ""
	}
	return dir
}

// tracks says whether systemd tracks processes in the tree at mount.
func tracks(mount string) bool {
	switch filepath.Base(mount) {
	case "systemd", "unified", "cgroup":
		return true
	}
	return false
}

// tracking returns the path in the tree in which systemd tracks processes:
// name=systemd if it is mounted, otherwise the v2 tree.
func tracking(trees map[string]string) string {
	var unified string
	for mount, path := range trees {
		switch filepath.Base(mount) {
		case "systemd":
			return path
		case "unified", "cgroup":
			unified = path
		}
	}
	return unified
}
