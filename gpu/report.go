package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// ReportVersion is the version of the JSON: it changes when a field's meaning
// does.
const ReportVersion = 1

// Report is the documented JSON of `dockhostctl gpu --json`: fields are added,
// never renamed.
type Report struct {
	// Version is [ReportVersion].
	Version int `json:"version"`
	// Well says that there is nothing to be done.
	Well bool `json:"well"`
	// Driver is NVIDIA's kernel driver.
	Driver Driver `json:"driver"`
	// CDI is what describes the GPUs to containers.
	CDI CDI `json:"cdi"`
	// GPUs are in the order of their indices.
	GPUs []Device `json:"gpus"`
	// Containers are those that have GPUs, or ask for some.
	Containers []Container `json:"containers"`
	// Problems is everything that is wrong, each with what to do, and Notes what
	// is worth knowing and no problem.
	Problems []string `json:"problems"`
	Notes    []string `json:"notes"`
}

// Driver is NVIDIA's kernel driver.
type Driver struct {
	Loaded  bool   `json:"loaded"`
	Version string `json:"version,omitempty"`
}

// CDI is what describes the GPUs to containers.
type CDI struct {
	// Source is the file of the spec that holds, "" where there is none.
	Source string `json:"source,omitempty"`
	// By is who made it.
	By string `json:"by,omitempty"`
	// Devices are the names by which it can be asked for GPUs.
	Devices []string `json:"devices"`
	// Stale are others, which do not describe what there is.
	Stale []Stale `json:"stale"`
}

// Stale is a spec that is passed over.
type Stale struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// Device is a GPU.
type Device struct {
	Index int    `json:"index"`
	UUID  string `json:"uuid"`
	Model string `json:"model,omitempty"`
	// Bus is where it is on the PCI bus.
	Bus string `json:"bus"`
	// MIG are the instances that it is split into.
	MIG []Part `json:"mig"`
	// Units are those whose containers have it, or a part of it.
	Units []string `json:"units"`
	// Processes have its device node open.
	Processes []Process `json:"processes"`
}

// Part is a MIG instance.
type Part struct {
	// Name is what it is asked for by, "0:1".
	Name string `json:"name"`
	UUID string `json:"uuid,omitempty"`
}

// Process has a GPU open.
type Process struct {
	Pid     int    `json:"pid"`
	Command string `json:"command"`
	// Unit is that of the container that it runs in; "" where it runs in none of
	// dockhost's.
	Unit string `json:"unit,omitempty"`
}

// Container has GPUs, or asks for some.
type Container struct {
	Unit string `json:"unit"`
	// Running says that it has been given the devices.
	Running bool `json:"running"`
	// Devices are the CDI devices that it was given.
	Devices   []string `json:"devices"`
	Exclusive bool     `json:"exclusive"`
	// Lost says which GPU it has lost; "" where it lost none, or nobody asked
	// for a check.
	Lost string `json:"lost,omitempty"`
}

// Found is what was found on the host without changing anything.
type Found struct {
	Driver Driver
	GPUs   Inventory
	CDI    CDI
	// Problems are those of the driver and of its GPUs, each with what to do,
	// also of a host on which nobody wants any.
	Problems []string
	Notes    []string
}

// Gather says how the GPUs of the host fare and who uses them.
func (m Machine) Gather(found Found, dir rundir.Dir) (Report, error) {
	r := Report{Version: ReportVersion, Driver: found.Driver, CDI: found.CDI, GPUs: []Device{}, Problems: []string{}, Notes: []string{}}
	r.Notes = append(r.Notes, found.Notes...)
	placed, err := placement.All(dir.RuntimeDir())
	if err != nil {
		return r, err
	}
	if r.Containers, err = m.containers(dir, placed); err != nil {
		return r, err
	}
	processes := m.processes(placed)
	for _, g := range found.GPUs {
		d := Device{Index: g.Index, UUID: g.UUID, Model: g.Model, Bus: g.BusID, MIG: []Part{}, Units: []string{}, Processes: []Process{}}
		d.Processes = append(d.Processes, processes[g.Minor]...)
		for _, part := range g.MIG {
			d.MIG = append(d.MIG, Part(part))
		}
		ids := append(Inventory{g}.all().ids, g.UUID)
		for _, p := range placed {
			if slices.ContainsFunc(p.GPUs, func(id string) bool { return slices.Contains(ids, id) }) && m.unitRuns(p) {
				d.Units = append(d.Units, p.Unit)
			}
		}
		slices.Sort(d.Units)
		r.GPUs = append(r.GPUs, d)
	}
	if len(found.GPUs) > 0 || len(r.Containers) > 0 || found.Driver.Loaded {
		r.Problems = append(r.Problems, found.Problems...)
	} // else nobody wants what is not there
	for _, c := range r.Containers {
		if c.Lost != "" {
			r.Problems = append(r.Problems, fmt.Sprintf("%s has lost a GPU: %s (start it anew with: systemctl restart %s)", c.Unit, c.Lost, c.Unit))
		}
	}
	r.Well = len(r.Problems) == 0
	return r, nil
}

func (m Machine) unitRuns(p placement.Placement) bool {
	return unitRuns(filepath.Join(m.Root, "sys/fs/cgroup"), p)
}

// containers are those of placements that run, and those that are assigned.
func (m Machine) containers(dir rundir.Dir, placed map[string]placement.Placement) ([]Container, error) {
	found := map[string]Container{}
	names, err := dir.Containers()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		c, err := dir.Container(name)
		if err != nil || c.GPU == nil {
			continue
		}
		unit := spec.UnitName(name)
		made := Container{Unit: unit, Devices: []string{}, Exclusive: c.GPU.Exclusive}
		if state, err := dir.State(name); err == nil {
			made.Lost = state.GPU
		}
		found[unit] = made
	}
	for _, p := range placed {
		if len(p.Devices) == 0 || !m.unitRuns(p) {
			continue
		}
		made := found[p.Unit]
		made.Unit, made.Running, made.Devices, made.Exclusive = p.Unit, true, p.Devices, p.Exclusive
		found[p.Unit] = made
	}
	all := make([]Container, 0, len(found))
	for _, c := range found {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Unit, b.Unit) })
	return all, nil
}

// processes are those that have a GPU open, by the minor number of its node.
func (m Machine) processes(placed map[string]placement.Placement) map[int][]Process {
	found := map[int][]Process{}
	dirs, _ := filepath.Glob(filepath.Join(m.Root, "proc/[0-9]*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		for _, minor := range opened(dir) {
			command, _ := os.ReadFile(filepath.Join(dir, "comm"))
			found[minor] = append(found[minor], Process{Pid: pid, Command: strings.TrimSpace(string(command)), Unit: unitOf(dir, placed)})
		}
	}
	for _, processes := range found {
		slices.SortFunc(processes, func(a, b Process) int { return a.Pid - b.Pid })
	}
	return found
}

// opened are the minor numbers of the GPUs that a process has open. One that
// has ended meanwhile has none.
func opened(dir string) []int {
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	if err != nil {
		return nil
	}
	var minors []int
	for _, file := range files {
		target, err := os.Readlink(filepath.Join(dir, "fd", file.Name()))
		if err != nil {
			continue
		}
		number, isGPU := strings.CutPrefix(target, "/dev/nvidia")
		if minor, err := strconv.Atoi(number); isGPU && err == nil && !slices.Contains(minors, minor) {
			minors = append(minors, minor)
		}
	}
	return minors
}

// unitOf is the unit of the container that a process runs in, or "".
func unitOf(dir string, placed map[string]placement.Placement) string {
	raw, err := os.ReadFile(filepath.Join(dir, "cgroup"))
	if err != nil {
		return ""
	}
	for line := range strings.SplitSeq(string(raw), "\n") {
		_, rest, _ := strings.Cut(line, ":")
		_, path, _ := strings.Cut(rest, ":")
		for _, p := range placed {
			if path == p.CgroupPath || strings.HasPrefix(path, p.CgroupPath+"/") {
				return p.Unit
			}
		}
	}
	return ""
}
