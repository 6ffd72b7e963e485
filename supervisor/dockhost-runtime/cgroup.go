package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// cgroups is the directory where the host's cgroup hierarchy of v2 is mounted, or
// below which each hierarchy of v1 is.
type cgroups string

// unified says whether the host uses cgroup v2.
func (c cgroups) unified() bool {
	_, err := os.Stat(filepath.Join(string(c), "cgroup.controllers"))
	return err == nil
}

// exist says whether systemd has created the cgroup; on v1 in its own hierarchy.
func (c cgroups) exist(path string) bool {
	tree := string(c)
	if !c.unified() {
		tree = filepath.Join(tree, "systemd")
	}
	info, err := os.Stat(filepath.Join(tree, path))
	return err == nil && info.IsDir()
}

// hybrid returns the directory of the v2 tree beside those of v1 if systemd has created the
// unit's cgroup there, which it then follows. "" on other hosts.
func (c cgroups) hybrid(unit string) string {
	tree := filepath.Join(string(c), "unified")
	if _, err := os.Stat(filepath.Join(tree, unit)); c.unified() || err != nil { // #nosec G703 -- from root's placement
		return ""
	}
	return tree
}

// adopt moves this process into the container's cgroup in the v2 tree of a hybrid host, in
// which the container's processes are then born: runc before 1.0.0-rc94 does not enter that
// tree, and later ones do no harm by entering it again.
func (c cgroups) adopt(place placement.Placement) error {
	tree := c.hybrid(place.UnitCgroup())
	if tree == "" || len(place.Controllers) > 0 {
		return nil // the hook enters the named hierarchies
	}
	dir := filepath.Join(tree, place.CgroupPath)
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 G703 -- the mode that systemd uses; from root's placement
		return err
	}
	return move(dir, strconv.Itoa(os.Getpid()))
}

// vacate moves the processes in the unit's own cgroup into a leaf: on v2 the
// children of a cgroup that contains processes get no controllers (cgroups(7), "no
// internal processes" rule). A supervisor has already moved itself if it is
// permitted to: as root, or with Delegate=yes in the unit.
func (c cgroups) vacate(unit string) error {
	if !c.unified() {
		return nil
	}
	from := filepath.Join(string(c), unit)
	leaf := filepath.Join(from, placement.SupervisorLeaf)
	// A process may fork between the read and the move.
	for range 100 {
		raw, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
		if err != nil {
			return err
		}
		pids := strings.Fields(string(raw))
		if len(pids) == 0 {
			return nil
		}
		if err := os.MkdirAll(leaf, 0o755); err != nil { // #nosec G301 -- the mode that systemd uses
			return err
		}
		for _, pid := range pids {
			if err := move(leaf, pid); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("%s: processes are forked faster than they can be moved out of it", from)
}

// enter moves a process into a cgroup, in the v1 hierarchies of the controllers.
func (c cgroups) enter(path string, pid int, controllers []string) error {
	for _, tree := range c.named(controllers) {
		if _, err := os.Stat(tree); err != nil {
			return err
		}
		dir := filepath.Join(tree, path)
		if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 G703 -- the mode that systemd uses; from root's placement
			return err
		}
		if err := inheritCpuset(tree, path); err != nil {
			return err
		}
		if err := move(dir, strconv.Itoa(pid)); err != nil {
			return err
		}
	}
	return nil
}

// named returns the directories of v1 hierarchies. On a hybrid host, systemd also
// tracks processes in a v2 hierarchy without controllers.
func (c cgroups) named(controllers []string) []string {
	var trees []string
	for _, controller := range controllers {
		trees = append(trees, filepath.Join(string(c), placement.HierarchyDir(controller)))
		hybrid := filepath.Join(string(c), "unified")
		if _, err := os.Stat(hybrid); err == nil && controller == "name=systemd" {
			trees = append(trees, hybrid)
		}
	}
	return trees
}

// inheritCpuset copies the CPUs and memory nodes of each parent down to the
// cgroup: v1 creates cgroups without any, and such a cgroup accepts no process
// (cpuset(7)).
func inheritCpuset(tree, path string) error {
	at := tree
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		parent := at
		at = filepath.Join(at, name)
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			own, err := os.ReadFile(filepath.Join(at, file)) // #nosec G304 -- a cgroup
			if errors.Is(err, fs.ErrNotExist) {
				return nil // another hierarchy
			}
			if err != nil {
				return err
			}
			if strings.TrimSpace(string(own)) != "" {
				continue
			}
			from, err := os.ReadFile(filepath.Join(parent, file)) // #nosec G304 -- a cgroup
			if err != nil {
				return err
			}
			if err := writeControl(filepath.Join(at, file), string(from)); err != nil {
				return err
			}
		}
	}
	return nil
}

// prune removes the cgroups that an OCI runtime, or enter, leaves in the v1
// hierarchies: the container's, and the unit's where systemd has not created it.
// The kernel refuses to remove a cgroup that contains a process.
func (c cgroups) prune(path string) {
	trees, err := filepath.Glob(filepath.Join(string(c), "*"))
	if err != nil || c.unified() {
		return
	}
	for _, tree := range trees {
		if _, err := os.Stat(filepath.Join(tree, "cgroup.procs")); err != nil {
			continue
		}
		_ = os.Remove(filepath.Join(tree, path)) // #nosec G703 -- from root's placement
		if name := filepath.Base(tree); name != "systemd" && name != "unified" {
			_ = os.Remove(filepath.Join(tree, filepath.Dir(path))) // #nosec G703 -- as above
		}
	}
}

// move moves a process into a cgroup. A process that has ended is not an error.
func move(dir, pid string) error {
	err := writeControl(filepath.Join(dir, "cgroup.procs"), pid)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// writeControl writes to an existing control file. O_CREATE would fail with EACCES
// where the cgroup was removed.
func writeControl(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_TRUNC, 0) // #nosec G703 -- a cgroup, from root's placement
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return err
}
