// Package placement is what the supervisor tells dockhost-runtime about one
// container: its cgroup, its OCI runtime, and what to merge into its OCI
// configuration. It imports the standard library only, since dockhost-runtime is
// started several times for each start of a container.
package placement

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/regular"
)

// Dir is the directory of the placements, one file for each container, named by
// its id. It is root:docker 0770: members of docker may place containers.
const Dir = "/run/dockhost/runtime"

// SupervisorLeaf is the cgroup below the unit's own for the unit's processes
// outside the container.
const SupervisorLeaf = "supervisor"

// Placement is where one container is born, and how.
type Placement struct {
	// Unit is the systemd unit that the container belongs to.
	Unit string `json:"unit"`
	// CgroupPath is the container's cgroup, in the form of linux.cgroupsPath in the
	// OCI runtime specification: absolute from the cgroup root, and below the
	// unit's own cgroup.
	CgroupPath string `json:"cgroup_path"`
	// Controllers names the cgroup v1 hierarchies ("name=systemd", "memory") in
	// which the container is moved into CgroupPath before its program starts. In
	// the others it stays in the cgroup of Docker's cgroupfs driver. Empty means
	// all hierarchies, and the only one of v2.
	Controllers []string `json:"controllers,omitempty"`
	// Runtime is the program of the OCI runtime that does the work, a name in PATH
	// or an absolute path; "" means runc. It is not the name under which the
	// runtime is registered with Docker.
	Runtime string `json:"runtime,omitempty"`
	// RuntimeArgs are the arguments that Docker has registered for the runtime. They come
	// before all others.
	RuntimeArgs []string `json:"runtime_args,omitempty"`
	// Edits is an OCI runtime configuration to merge into the container's own:
	// objects are merged, lists are appended, process.env is merged by name and
	// mounts by destination; null changes nothing.
	Edits json.RawMessage `json:"edits,omitempty"`
	// Devices are the qualified names of the CDI devices that the edits add, GPUs
	// the UUIDs of the GPUs and MIG instances among them, as far as they are known.
	// dockhost-runtime does not use them; the agent reads them.
	Devices []string `json:"devices,omitempty"`
	GPUs    []string `json:"gpus,omitempty"`
	// Exclusive says that no other container may use any of these GPUs.
	Exclusive bool `json:"exclusive,omitempty"`
	// Sockets are the descriptors of the unit's socket units; nil for none.
	Sockets *Sockets `json:"sockets,omitempty"`
	// Binds are the bind mounts whose sources must be in directories that a policy
	// grants. Of the others nothing is known.
	Binds []Bind `json:"binds,omitempty"`
}

// Bind is a bind mount that a policy limits.
type Bind struct {
	// Target is its destination in the OCI configuration.
	Target string `json:"target"`
	// Directories are those in one of which the source must be; with the suffix ":ro"
	// no container can change them.
	Directories []string `json:"directories"`
}

// UnitCgroup returns the cgroup of the container's unit, absolute from the
// cgroup root. It exists for as long as the unit runs.
func (p Placement) UnitCgroup() string { return filepath.Dir(p.CgroupPath) }

// validate checks the placement: a runtime would create a relative cgroup path
// below its own cgroup without an error.
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
	for _, bind := range p.Binds {
		if !filepath.IsAbs(bind.Target) || len(bind.Directories) == 0 {
			return fmt.Errorf("binds: %q is not an absolute path with directories", bind.Target)
		}
	}
	return p.Sockets.validate()
}

// HierarchyDir returns the directory below /sys/fs/cgroup where the v1 hierarchy
// of a controller is mounted ("memory", "cpu,cpuacct", "name=systemd").
func HierarchyDir(controller string) string { return strings.TrimPrefix(controller, "name=") }

// markPrefix and markSuffix enclose the unit's name in the CgroupParent of a
// managed container. Docker's systemd cgroup driver requires the suffix. Neither
// driver creates such a cgroup: dockhost-runtime replaces the path.
const (
	markPrefix = "/dockhost/"
	markSuffix = ".slice"
)

// CgroupParent returns the HostConfig.CgroupParent of a container that belongs to
// unit. Docker keeps it across reboots, so that dockhost-runtime recognizes a
// managed container, and its unit, even without a placement.
func CgroupParent(unit string) string {
	return markPrefix + unit + markSuffix
}

// UnitOf returns the unit of a linux.cgroupsPath that Docker has built from
// CgroupParent, and false for a container that dockhost does not manage. Docker
// writes PARENT:docker:ID with its systemd cgroup driver and PARENT/ID with
// cgroupfs.
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

// Write writes the placement of the container id to dir, atomically.
func Write(dir, id string, p Placement) error {
	if err := p.validate(); err != nil {
		return fmt.Errorf("write placement of %s: %w", id, err)
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("write placement of %s: %w", id, err)
	}
	// Only the supervisor of this container writes this file. If it is killed in
	// between, Remove removes the temporary file.
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

// OfUnit returns the ids of the containers with a placement in the unit. It skips
// files that are not placements.
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

// IDs returns the ids of all containers for which there is a placement, also one that
// is unfinished or damaged.
func IDs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list placements: %w", err)
	}
	var ids []string
	for _, entry := range entries {
		id, placed := strings.CutSuffix(entry.Name(), ".json")
		if !placed {
			id, placed = strings.CutPrefix(entry.Name(), tmpPrefix)
		}
		if placed && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// All returns the placements of all containers by their ids. It skips files that
// are not placements.
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

// maxSize bounds a placement in bytes. Members of docker may write them.
const maxSize = 4 << 20

// Read returns the placement of the container id. The error is [os.ErrNotExist]
// when the container has no placement.
func Read(dir, id string) (Placement, error) {
	raw, err := regular.Read(path(dir, id), maxSize)
	if err != nil {
		return Placement{}, fmt.Errorf("read placement: %w", err)
	}
	p, err := parse(raw)
	if err != nil {
		return Placement{}, fmt.Errorf("read placement %s: %w", path(dir, id), err)
	}
	return p, nil
}

func parse(raw []byte) (Placement, error) {
	var p Placement
	if err := json.Unmarshal(raw, &p); err != nil {
		return Placement{}, err
	}
	return p, p.validate()
}

// Remove removes the placement of the container id. A missing one is not an
// error.
func Remove(dir, id string) error {
	for _, file := range []string{unfinished(dir, id), path(dir, id)} {
		if err := os.Remove(file); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove placement: %w", err)
		}
	}
	return nil
}

// tmpPrefix and the id are the name of an unfinished placement.
const tmpPrefix = ".tmp-"

// unfinished is the temporary file of [Write].
func unfinished(dir, id string) string { return filepath.Join(dir, tmpPrefix+id) }

func path(dir, id string) string { return filepath.Join(dir, id+".json") }
