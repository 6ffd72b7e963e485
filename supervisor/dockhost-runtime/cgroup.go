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

// cgroups is the directory below which the host's cgroup trees are mounted:
// the one of v2 there, or those of v1 each in a directory of its own.
type cgroups string

// unified tells whether there is one tree, that of v2.
func (c cgroups) unified() bool {
	_, err := os.Stat(filepath.Join(string(c), "cgroup.controllers"))
	return err == nil
}

// exist tells whether systemd has made this cgroup: on v1 in its own tree.
func (c cgroups) exist(path string) bool {
	tree := string(c)
	if !c.unified() {
		tree = filepath.Join(tree, "systemd")
	}
	info, err := os.Stat(filepath.Join(tree, path))
	return err == nil && info.IsDir()
}

// vacate moves the processes that lie in the unit's own cgroup into a leaf:
// v2 gives no controllers to the children of a cgroup with processes in it
// (cgroups(7), "no internal processes" rule). A supervisor has done so for
// itself where it may: it is root, or the unit has Delegate=yes.
func (c cgroups) vacate(unit string) error {
	if !c.unified() {
		return nil
	}
	from := filepath.Join(string(c), unit)
	leaf := filepath.Join(from, placement.SupervisorLeaf)
	// A process may fork between the look and the move.
	for range 100 {
		raw, err := os.ReadFile(filepath.Join(from, "cgroup.procs"))
		if err != nil {
			return err
		}
		pids := strings.Fields(string(raw))
		if len(pids) == 0 {
			return nil
		}
		if err := os.MkdirAll(leaf, 0o755); err != nil { // #nosec G301 -- as systemd makes its own
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

// enter moves a process into a cgroup of the named v1 trees.
func (c cgroups) enter(path string, pid int, controllers []string) error {
	for _, tree := range c.named(controllers) {
		if _, err := os.Stat(tree); err != nil {
			return err
		}
		dir := filepath.Join(tree, path)
		if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 G703 -- as systemd makes its own; from root's placement
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

// named are the directories of v1 trees. Beside its own, systemd has a v2 tree
// without controllers on a hybrid host, in which it follows processes, too.
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

// inheritCpuset gives the cgroups on the way down what their parents have: v1
// makes them with neither CPUs nor memory nodes, and takes no process then
// (cpuset(7)).
func inheritCpuset(tree, path string) error {
	at := tree
	for name := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		parent := at
		at = filepath.Join(at, name)
		for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
			own, err := os.ReadFile(filepath.Join(at, file)) // #nosec G304 -- a cgroup
			if errors.Is(err, fs.ErrNotExist) {
				return nil // another tree
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

// prune removes what an OCI runtime, or enter, leaves in the v1 trees: the
// container's cgroup, and the unit's where systemd has made none. A cgroup with
// a process in it stays: the kernel refuses to remove it.
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

// move puts a process into a cgroup. One that has ended is no error.
func move(dir, pid string) error {
	err := writeControl(filepath.Join(dir, "cgroup.procs"), pid)
	if errors.Is(err, syscall.ESRCH) {
		return nil
	}
	return err
}

// writeControl writes to a control file, which exists: O_CREATE would say
// EACCES of a cgroup that is gone.
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
