package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// The scripts that print the facts.
var (
	//go:embed facts.sh
	factsScript string
	//go:embed deep.sh
	deepScript string
	//go:embed sizes.sh
	sizesScript string
)

// unit is what systemd says of a unit.
type unit struct {
	active, sub, cgroup, result string
	pid                         int
}

// container is what Docker says of a container.
type container struct {
	ID, Name, Status, Image, Unit, Merged string
	Pid                                   int
	Env                                   []string
	Error                                 string
}

// revision returns the value of the variable REVISION, or "".
func (c container) revision() string {
	for _, variable := range c.Env {
		if value, ok := strings.CutPrefix(variable, "REVISION="); ok {
			return value
		}
	}
	return ""
}

// process is a process and one of its cgroups.
type process struct {
	pid    int
	cgroup string
}

// facts are the state of a host.
type facts struct {
	units      map[string]unit
	containers []container
	cgroups    []string
	processes  []process
	programs   []int
	shims      []string
	files      []string
	dropins    []string
	mounts     []string
	volumes    []string
	wanted     map[string]string
	status     api.Status
	exit       int
	// errors are what could not be found out.
	errors []string
}

// sections splits what facts.sh or deep.sh printed.
func sections(out string) map[string][]string {
	all, name := map[string][]string{}, ""
	for line := range strings.Lines(out) {
		line = strings.TrimSuffix(line, "\n")
		if next, ok := strings.CutPrefix(line, "== "); ok {
			name = next
		} else if line != "" || name == "units" {
			all[name] = append(all[name], line)
		}
	}
	return all
}

// parseFacts returns what facts.sh has found.
func parseFacts(out string) facts {
	s := sections(out)
	f := facts{
		units: parseUnits(s["units"]), cgroups: s["cgroups"], shims: s["shims"], files: s["files"],
		dropins: s["dropins"], mounts: s["mounts"], volumes: s["volumes"], wanted: map[string]string{}, exit: -1,
	}
	f.parseContainers(s["containers"])
	for _, line := range s["processes"] {
		path, pid, _ := strings.Cut(line, ":")
		f.processes = append(f.processes, process{number(pid), strings.TrimSuffix(path, "/cgroup.procs")})
	}
	for _, line := range s["programs"] {
		f.programs = append(f.programs, number(line))
	}
	for _, line := range s["wanted"] {
		name, revision, _ := strings.Cut(line, " ")
		f.wanted[name] = revision
	}
	f.parseStatus(s["status"])
	return f
}

func parseUnits(lines []string) map[string]unit {
	units, properties := map[string]unit{}, map[string]string{}
	for _, line := range append(lines, "") {
		if name, value, ok := strings.Cut(line, "="); ok {
			properties[name] = value
			continue
		}
		if id := properties["Id"]; id != "" {
			units[id] = unit{
				active: properties["ActiveState"], sub: properties["SubState"], cgroup: properties["ControlGroup"],
				result: properties["Result"], pid: number(properties["MainPID"]),
			}
		}
		clear(properties)
	}
	return units
}

func (f *facts) parseContainers(lines []string) {
	for _, line := range lines {
		var c container
		if err := json.Unmarshal([]byte(line), &c); err != nil || c.Error != "" {
			f.errors = append(f.errors, "docker: "+line)
			continue
		}
		c.Name = strings.TrimPrefix(c.Name, "/")
		f.containers = append(f.containers, c)
	}
}

func (f *facts) parseStatus(lines []string) {
	for _, line := range lines {
		if exit, ok := strings.CutPrefix(line, "exit "); ok {
			f.exit = number(exit)
		} else if err := json.Unmarshal([]byte(line), &f.status); err != nil {
			f.errors = append(f.errors, "dockhostctl status: "+line)
		}
	}
}

// size is the size of a process of dockhost.
type size struct {
	unit             string
	pid, descriptors int
	anonymousKiB     int
}

// deepFacts are what is checked once after each step.
type deepFacts struct {
	broken, secrets []string
	lines           []int
	born            string
	history         []api.HistoryEntry
}

// parseDeep returns what deep.sh has found.
func parseDeep(out string) deepFacts {
	s := sections(out)
	d := deepFacts{broken: s["broken"], born: strings.Join(s["born"], " ")}
	for _, line := range s["secrets"] {
		if !strings.HasSuffix(line, " 0") {
			d.secrets = append(d.secrets, line)
		}
	}
	for _, line := range s["lines"] {
		d.lines = append(d.lines, number(line))
	}
	for _, line := range s["history"] {
		var entry api.HistoryEntry
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			d.broken = append(d.broken, "dockhostctl history: "+line)
			continue
		}
		d.history = append(d.history, entry)
	}
	return d
}

// parseSizes returns what sizes.sh has found.
func parseSizes(out string) []size {
	var all []size
	for line := range strings.Lines(out) {
		var p size
		if _, err := fmt.Sscanf(line, "%s %d %d %d", &p.unit, &p.pid, &p.descriptors, &p.anonymousKiB); err == nil && p.pid > 0 {
			all = append(all, p)
		}
	}
	return all
}

// number returns the number in a text, or 0.
func number(text string) int {
	n, _ := strconv.Atoi(strings.TrimSpace(text))
	return n
}
