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

// ReportVersion is the version of the JSON. It changes when the meaning of a field
// changes.
const ReportVersion = 1

// Report is the documented JSON of `dockhostctl gpu --json`. Fields are added, but
// never renamed.
type Report struct {
	// Version is [ReportVersion].
	Version int `json:"version"`
	// Well says that there is no problem.
	Well bool `json:"well"`
	// Driver is NVIDIA's kernel driver.
	Driver Driver `json:"driver"`
	// CDI is the spec that describes the GPUs to containers.
	CDI CDI `json:"cdi"`
	// GPUs are in the order of their indices.
	GPUs []CardReport `json:"gpus"`
	// Containers are those that have GPUs or request some.
	Containers []Container `json:"containers"`
	// Problems has each problem with what to do, and Notes what is good to know
	// but not a problem.
	Problems []string `json:"problems"`
	Notes    []string `json:"notes"`
}

// Driver is NVIDIA's kernel driver.
type Driver struct {
	Loaded  bool   `json:"loaded"`
	Version string `json:"version,omitempty"`
}

// CDI is the spec that describes the GPUs to containers.
type CDI struct {
	// Source is the file of the spec in use, "" without one.
	Source string `json:"source,omitempty"`
	// By is the program that made it.
	By string `json:"by,omitempty"`
	// Devices are the names of its devices.
	Devices []string `json:"devices"`
	// Stale are specs that do not match the host.
	Stale []Stale `json:"stale"`
}

// Stale is a spec that is ignored.
type Stale struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// CardReport is the report on one GPU.
type CardReport struct {
	Index int    `json:"index"`
	UUID  string `json:"uuid"`
	Model string `json:"model,omitempty"`
	// Bus is its address on the PCI bus.
	Bus string `json:"bus"`
	// MIG has the instances into which it is split.
	MIG []Part `json:"mig"`
	// Units are the units whose containers use it or a part of it.
	Units []string `json:"units"`
	// Processes are the processes that have its device node open.
	Processes []Process `json:"processes"`
}

// Part is a MIG instance.
type Part struct {
	// Name is the name under which it can be requested, "0:1".
	Name string `json:"name"`
	UUID string `json:"uuid,omitempty"`
}

// Process is a process that has a GPU open.
type Process struct {
	Pid     int    `json:"pid"`
	Command string `json:"command"`
	// Unit is the unit of its container, "" outside of dockhost's containers.
	Unit string `json:"unit,omitempty"`
}

// Container is a container that has GPUs or requests some.
type Container struct {
	Unit string `json:"unit"`
	// Running says that it runs and has its devices.
	Running bool `json:"running"`
	// Devices are the CDI devices that it has.
	Devices   []string `json:"devices"`
	Exclusive bool     `json:"exclusive"`
	// Lost says which GPU it has lost. "" means none, or that checks are off.
	Lost string `json:"lost,omitempty"`
}

// Gather reports the state of the host's GPUs and their users. host is the result
// of [Machine.Inspect].
func (m Machine) Gather(host Inspection, dir rundir.Dir) (Report, error) {
	r := Report{Version: ReportVersion, Driver: host.Driver, CDI: host.CDI, GPUs: []CardReport{}, Problems: []string{}, Notes: []string{}}
	r.Notes = append(r.Notes, host.Notes...)
	placed, err := placement.All(dir.RuntimeDir())
	if err != nil {
		return r, err
	}
	if r.Containers, err = m.containers(dir, placed); err != nil {
		return r, err
	}
	processes := m.processes(placed)
	for _, card := range host.GPUs {
		c := CardReport{Index: card.Index, UUID: card.UUID, Model: card.Model, Bus: card.BusID, MIG: []Part{}, Units: m.unitsWith(card, placed), Processes: []Process{}}
		c.Processes = append(c.Processes, processes[card.Minor]...)
		for _, instance := range card.MIG {
			c.MIG = append(c.MIG, Part(instance))
		}
		r.GPUs = append(r.GPUs, c)
	}
	// A host without a GPU has a problem only if a container needs one.
	if len(host.GPUs) > 0 || len(r.Containers) > 0 || host.Driver.Loaded {
		r.Problems = append(r.Problems, host.Problems...)
	}
	for _, c := range r.Containers {
		if c.Lost != "" {
			r.Problems = append(r.Problems, fmt.Sprintf("%s has lost a GPU: %s (run: systemctl restart %s)", c.Unit, c.Lost, c.Unit))
		}
	}
	r.Well = len(r.Problems) == 0
	return r, nil
}

// unitsWith returns the running units that have the GPU or a part of it.
func (m Machine) unitsWith(card Card, placed map[string]placement.Placement) []string {
	units := []string{}
	ids := append(Pool{card}.all().ids, card.UUID)
	for _, p := range placed {
		if slices.ContainsFunc(p.GPUs, func(id string) bool { return slices.Contains(ids, id) }) && m.unitRuns(p) {
			units = append(units, p.Unit)
		}
	}
	slices.Sort(units)
	return units
}

func (m Machine) unitRuns(p placement.Placement) bool {
	return unitRuns(filepath.Join(m.Root, "sys/fs/cgroup"), p)
}

// containers returns the running containers that have devices and the assigned
// ones that request GPUs.
func (m Machine) containers(dir rundir.Dir, placed map[string]placement.Placement) ([]Container, error) {
	byUnit := map[string]Container{}
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
		assigned := Container{Unit: unit, Devices: []string{}, Exclusive: c.GPU.Exclusive}
		if state, err := dir.State(name); err == nil {
			assigned.Lost = state.GPU
		}
		byUnit[unit] = assigned
	}
	for _, p := range placed {
		if len(p.Devices) == 0 || !m.unitRuns(p) {
			continue
		}
		running := byUnit[p.Unit]
		running.Unit, running.Running, running.Devices, running.Exclusive = p.Unit, true, p.Devices, p.Exclusive
		byUnit[p.Unit] = running
	}
	all := make([]Container, 0, len(byUnit))
	for _, c := range byUnit {
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.Unit, b.Unit) })
	return all, nil
}

// processes returns the processes that have a GPU open, by the minor number of
// its device node.
func (m Machine) processes(placed map[string]placement.Placement) map[int][]Process {
	byMinor := map[int][]Process{}
	dirs, _ := filepath.Glob(filepath.Join(m.Root, "proc/[0-9]*"))
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			continue
		}
		for _, minor := range openGPUs(dir) {
			command, _ := os.ReadFile(filepath.Join(dir, "comm"))
			byMinor[minor] = append(byMinor[minor], Process{Pid: pid, Command: strings.TrimSpace(string(command)), Unit: unitOf(dir, placed)})
		}
	}
	for _, processes := range byMinor {
		slices.SortFunc(processes, func(a, b Process) int { return a.Pid - b.Pid })
	}
	return byMinor
}

// openGPUs returns the minor numbers of the GPUs that a process has open, none if
// the process has ended.
func openGPUs(dir string) []int {
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

// unitOf returns the unit of a process's container, or "".
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
