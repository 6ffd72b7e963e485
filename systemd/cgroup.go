package systemd

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Cgroups is a host's cgroup tree, v2 or v1 with or without the hybrid v2
// mount. Root is a prefix of the host's paths, "" on a real one.
type Cgroups struct {
	Root string
}

// cgroupMount is where all distributions mount the cgroup trees.
const cgroupMount = "/sys/fs/cgroup"

// ErrNoService says that a process is in no service of systemd.
var ErrNoService = errors.New("no service of systemd")

// OwnUnit returns the unit that this process runs in, and the unit's cgroup
// path ("/system.slice/web.service"). It works in a leaf below the unit too.
// The error tells when the process runs in no service.
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
	}
	return "", "", fmt.Errorf("the process runs in %q: %w (start it by systemctl)", own, ErrNoService)
}

// EnterLeaf moves this process into the cgroup NAME below the unit's, since
// cgroup v2 lets no process stay in a cgroup whose children have controllers
// (cgroups(7), "no internal processes" rule). It does nothing where systemd
// has done so already (DelegateSubgroup=, since 254). The error is
// [fs.ErrPermission] where the process is not root and the unit has no
// Delegate=, and [syscall.EROFS] under ProtectControlGroups=.
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
		if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as systemd makes its own
			return fmt.Errorf("move into the leaf cgroup (is Delegate=yes set?): %w", err)
		}
		procs := filepath.Join(dir, "cgroup.procs")
		if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			return fmt.Errorf("move into the leaf cgroup: %w", err)
		}
	}
	return nil
}

// Unified says whether the host has one tree with all controllers, that of v2.
func (c Cgroups) Unified() bool {
	_, err := os.Stat(filepath.Join(c.Root, cgroupMount, "cgroup.controllers"))
	return err == nil
}

// Mounted says whether the host has a v1 tree with these controllers
// ("memory", "cpu,cpuacct", "name=systemd").
func (c Cgroups) Mounted(controllers string) bool {
	return controllers != "" && c.mount(controllers) != ""
}

// Holds says whether the process lies below the unit's cgroup, and where it
// lies if not: in the v1 trees with these controllers, or, without any, in the
// tree in which systemd follows processes.
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
	for _, path := range paths {
		if !strings.HasPrefix(path, unitPath+"/") {
			return false, path, nil
		}
	}
	return true, "", nil
}

// Prune removes what an OCI runtime that was killed leaves of the unit's cgroup
// in the v1 trees that systemd does not manage for it. A cgroup with a process
// in it stays: the kernel refuses to remove it.
func (c Cgroups) Prune(unitPath string) {
	if !strings.HasSuffix(unitPath, ".service") {
		return // whatever that is, it is not ours to clean
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

// prune removes a cgroup and all below it, the lowest first.
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

// trees maps each mounted tree to the path in it of a process.
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

// mount is where the tree with these controllers is mounted, or "" when it is
// not: the kernel names trees that only another mount namespace has. No
// controllers are the v2 tree, which lies at the top where it is alone.
func (c Cgroups) mount(controllers string) string {
	base, unified := filepath.Join(c.Root, cgroupMount), c.Unified()
	if unified && controllers == "" {
		return base
	}
	dir := filepath.Join(base, "unified")
	if controllers != "" {
		dir = filepath.Join(base, strings.TrimPrefix(controllers, "name="))
	}
	if _, err := os.Stat(dir); unified || err != nil { //nolint:gosec // the kernel or the unit's author names the trees
		return ""
	}
	return dir
}

// tracks says whether systemd follows processes in the tree at mount.
func tracks(mount string) bool {
	switch filepath.Base(mount) {
	case "systemd", "unified", "cgroup":
		return true
	}
	return false
}

// tracking returns the path in the tree in which systemd follows processes:
// name=systemd where it is mounted, else the v2 tree.
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
