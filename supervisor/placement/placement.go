// Package placement is what the supervisor tells dockhost-runtime about one
// container: where it is born, which OCI runtime makes it, and what is merged
// into its OCI configuration. It must import the standard library alone, since
// the runtime is started several times for each start of a container.
package placement

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Dir is where placements lie, one file for each container, named by its id.
// It is root:docker 0770: who may speak to Docker may place a container.
const Dir = "/run/dockhost/runtime"

// SupervisorLeaf is the cgroup, below the unit's own, that is left to what
// runs in the unit beside the container.
const SupervisorLeaf = "supervisor"

// Placement is one container's place.
type Placement struct {
	// Unit is the systemd unit that the container belongs to.
	Unit string `json:"unit"`
	// CgroupPath is where the container is born, as linux.cgroupsPath of the
	// OCI runtime specification: absolute from the cgroup root, and below the
	// unit's own cgroup.
	CgroupPath string `json:"cgroup_path"`
	// Controllers names the cgroup v1 hierarchies ("name=systemd", "memory") in
	// which the container is put into CgroupPath, before its program starts; in
	// the others it lies where Docker's cgroupfs driver puts its own. Empty is
	// all of them, and what there is on v2.
	Controllers []string `json:"controllers,omitempty"`
	// Runtime is the OCI runtime that does the work, a name in PATH or an
	// absolute path; "" is runc. It is the program, not the name that Docker
	// has registered it by.
	Runtime string `json:"runtime,omitempty"`
	// Edits is an OCI runtime configuration that holds only what is to be
	// merged into the container's own: objects are merged, lists are
	// appended, process.env by name and mounts by destination; null changes
	// nothing.
	Edits json.RawMessage `json:"edits,omitempty"`
	// Devices are the qualified names of the CDI devices that the edits give to
	// the container, GPUs the UUIDs of the GPUs and MIG instances among them, as
	// far as they are known. They are for others to read.
	Devices []string `json:"devices,omitempty"`
	GPUs    []string `json:"gpus,omitempty"`
	// Exclusive says that no other container may have any of them.
	Exclusive bool `json:"exclusive,omitempty"`
}

// UnitCgroup returns the cgroup of the container's unit, absolute from the
// cgroup root. It exists for as long as the unit runs.
func (p Placement) UnitCgroup() string { return filepath.Dir(p.CgroupPath) }

// validate says what a placement lacks: a runtime would take a relative
// cgroup path as one below its own cgroup, and make it without complaint.
func (p Placement) validate() error {
	if p.Unit == "" {
		return errors.New("unit is empty")
	}
	if !filepath.IsAbs(p.CgroupPath) || filepath.Clean(p.CgroupPath) != p.CgroupPath || p.UnitCgroup() == "/" {
		return fmt.Errorf("cgroup_path %q is not a clean absolute path below a unit's cgroup", p.CgroupPath)
	}
	for _, controller := range p.Controllers {
		if dir := HierarchyDir(controller); dir == "" || dir == "." || dir == ".." || strings.Contains(dir, "/") {
			return fmt.Errorf("controllers: %q is not the name of a cgroup v1 hierarchy", controller)
		}
	}
	return nil
}

// HierarchyDir is the directory below /sys/fs/cgroup where the v1 hierarchy of
// a controller is mounted ("memory", "cpu,cpuacct", "name=systemd").
func HierarchyDir(controller string) string { return strings.TrimPrefix(controller, "name=") }

// markPrefix and markSuffix frame the unit's name in the CgroupParent of a
// managed container. The suffix is what Docker's systemd cgroup driver asks
// of a parent; neither driver creates such a cgroup, for dockhost-runtime
// replaces the path that is made of it.
const (
	markPrefix = "/dockhost/"
	markSuffix = ".slice"
)

// CgroupParent is the HostConfig.CgroupParent of a container that belongs to
// unit. Docker keeps it across reboots, so that dockhost-runtime knows a
// managed container, and its unit, also when there is no placement.
func CgroupParent(unit string) string {
	return markPrefix + unit + markSuffix
}

// UnitOf returns the unit that a linux.cgroupsPath made by Docker from
// CgroupParent belongs to, and false for a container that dockhost does not
// manage. Docker writes PARENT:docker:ID with its systemd cgroup driver and
// PARENT/ID with cgroupfs.
func UnitOf(cgroupsPath string) (string, bool) {
	rest, found := strings.CutPrefix(cgroupsPath, markPrefix)
	if !found {
		return "", false
	}
	for _, end := range []string{markSuffix + ":docker:", markSuffix + "/"} {
		if i := strings.LastIndex(rest, end); i > 0 {
			return rest[:i], !strings.Contains(rest[:i], "/")
		}
	}
	return "", false
}

// Write stores the placement of the container id in dir, atomically.
func Write(dir, id string, p Placement) error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("write placement of %s: %w", id, err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write placement of %s: %w", id, err)
	}
	// Only the supervisor of this container writes here. What it leaves when it
	// is killed in between goes with the placement.
	tmp := unfinished(dir, id)
	file, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write placement of %s: %w", id, err)
	}
	_, err = file.Write(raw)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp, path(dir, id))
	}
	if err != nil {
		_ = os.Remove(tmp)
		return fmt.Errorf("write placement of %s: %w", id, err)
	}
	return nil
}

// OfUnit returns the ids of the containers that have a placement in the unit.
// Files that are none it leaves out.
func OfUnit(dir, unit string) ([]string, error) {
	all, err := All(dir)
	var ids []string
	for id, p := range all {
		if p.Unit == unit {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// All returns the placements of all containers by their ids. Files that are
// none it leaves out.
func All(dir string) (map[string]Placement, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list placements: %w", err)
	}
	all := map[string]Placement{}
	for _, entry := range entries {
		id, found := strings.CutSuffix(entry.Name(), ".json")
		if !found || strings.HasPrefix(id, ".") {
			continue
		}
		if p, err := Read(dir, id); err == nil {
			all[id] = p
		}
	}
	return all, nil
}

// Read returns the placement of the container id. The error is
// [os.ErrNotExist] when there is none.
func Read(dir, id string) (Placement, error) {
	raw, err := os.ReadFile(path(dir, id))
	if err != nil {
		return Placement{}, fmt.Errorf("read placement: %w", err)
	}
	var p Placement
	if err := json.Unmarshal(raw, &p); err != nil {
		return Placement{}, fmt.Errorf("read placement %s: %w", path(dir, id), err)
	}
	if err := p.validate(); err != nil {
		return Placement{}, fmt.Errorf("read placement %s: %w", path(dir, id), err)
	}
	return p, nil
}

// Remove forgets the placement of the container id; none is no error.
func Remove(dir, id string) error {
	for _, file := range []string{unfinished(dir, id), path(dir, id)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove placement: %w", err)
		}
	}
	return nil
}

func unfinished(dir, id string) string { return filepath.Join(dir, ".tmp-"+id) }

func path(dir, id string) string { return filepath.Join(dir, id+".json") }
