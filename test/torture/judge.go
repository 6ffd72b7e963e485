package main

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// judge returns what is wrong with a host on which nothing is broken any more. It returns nothing for a host that is well.
func judge(f facts) []string {
	wrong := slices.Clone(f.errors)
	for _, name := range names {
		wrong = append(wrong, f.judgeContainer(name)...)
	}
	return slices.Concat(wrong, f.judgeStatus(), f.orphans(), f.leftovers(), f.missing())
}

// judgeContainer checks that a container runs once, in its unit, as it was assigned.
func (f facts) judgeContainer(name string) []string {
	id := unitName(name)
	u, own := f.units[id], []container{}
	for _, c := range f.containers {
		if c.Unit == id {
			own = append(own, c)
		}
	}
	if u.active != "active" || u.sub != "running" {
		return []string{fmt.Sprintf("%s is %s (%s), its result is %s", id, u.active, u.sub, u.result)}
	}
	if len(own) != 1 {
		return []string{fmt.Sprintf("%s is active and has %d containers, want 1", id, len(own))}
	}
	c := own[0]
	var wrong []string
	if c.Status != "running" || c.Name != name {
		wrong = append(wrong, fmt.Sprintf("container %s of %s is %s", c.Name, id, c.Status))
	}
	repository, _, _ := strings.Cut(strings.TrimPrefix(images[name], "localhost:5000/"), ":")
	if c.Image != images[name] && !strings.HasPrefix(c.Image, "sha256:") && !strings.HasPrefix(c.Image, "localhost:5000/"+repository+"@sha256:") {
		wrong = append(wrong, fmt.Sprintf("container %s runs %s, want %s", name, c.Image, images[name]))
	}
	if want, ok := f.wanted[name]; ok && c.revision() != want && !wentBack(f.shown(name)) {
		wrong = append(wrong, fmt.Sprintf("container %s runs revision %s, want %s", name, c.revision(), want))
	}
	if want := u.cgroup + "/container"; !slices.ContainsFunc(f.processes, func(p process) bool {
		return p.pid == c.Pid && strings.HasSuffix(p.cgroup, want)
	}) {
		wrong = append(wrong, fmt.Sprintf("process %d of container %s is not in %s", c.Pid, name, want))
	}
	return wrong
}

// judgeStatus checks that dockhostctl status knows all containers, says that they are well, and exits accordingly.
func (f facts) judgeStatus() []string {
	var wrong []string
	exit, seen := 0, map[string]bool{}
	for _, c := range f.status.Containers {
		seen[c.Name] = true
		if c.Cached {
			exit = 3 // the registry did not answer at the last start, and the status says so
		}
		if wentBack(c) {
			exit = 3 // a person must act, and the status says why
		}
		if !c.Ready || c.Pending != nil && !wentBack(c) || c.Finished {
			exit = 3
			wrong = append(wrong, fmt.Sprintf("status: container %s is not ready or waits: %s%s", c.Name, c.StatusText, trouble(c)))
		}
		if !named(c.Name) {
			wrong = append(wrong, "status: container "+c.Name+" is not assigned")
		}
	}
	for _, name := range names {
		if !seen[name] {
			wrong = append(wrong, "status: container "+name+" is missing")
		}
	}
	if f.exit != exit || f.status.Well != (exit == 0) {
		wrong = append(wrong, fmt.Sprintf("status exits %d, want %d: problems %q, Docker %q, agent %q, housekeeping %+v",
			f.exit, exit, f.status.Source.Problems, f.status.Docker.Error, f.status.Agent.Error, f.status.Housekeeping))
	}
	return wrong
}

// shown returns what the status says of a container.
func (f facts) shown(name string) api.Container {
	i := slices.IndexFunc(f.status.Containers, func(c api.Container) bool { return c.Name == name })
	if i < 0 {
		return api.Container{}
	}
	return f.status.Containers[i]
}

// wentBack reports whether the status says that the last change of a container failed, why it did, and that it is in
// quarantine. The revision before runs then.
func wentBack(c api.Container) bool {
	return c.Update != nil && c.Update.State == api.OutcomeRolledBack && c.Update.Why != "" &&
		slices.ContainsFunc(c.Update.Quarantined, func(r api.Revision) bool { return r.Why != "" })
}

// wentBack returns the containers whose last change was rolled back.
func (f facts) wentBack() []string {
	var names []string
	for _, c := range f.status.Containers {
		if wentBack(c) {
			names = append(names, c.Name)
		}
	}
	return names
}

// judgeHistory checks that each container that went back since the last step had a reason to: one of the faults ended it
// in a way that looks like its own failure, or systemd has restarted it again and again.
func judgeHistory(entries []api.HistoryEntry, s step) []string {
	var wrong []string
	for _, entry := range entries {
		blamed := slices.ContainsFunc(s.strikes, func(strike strike) bool { return strike.fault.blames && strike.target == entry.Name })
		switch {
		case entry.Outcome == api.OutcomeFailed:
			wrong = append(wrong, fmt.Sprintf("the update of %s failed, and was not rolled back: %s", entry.Name, entry.Why))
		case entry.Outcome == api.OutcomeRolledBack && !blamed && !strings.HasPrefix(entry.Why, "systemd has restarted it"):
			wrong = append(wrong, fmt.Sprintf("the update of %s was rolled back, and it is not to blame: %s", entry.Name, entry.Why))
		}
	}
	return wrong
}

// trouble returns the last error of a container and why a change of it is not in force.
func trouble(c api.Container) string {
	text := ""
	if c.LastError != nil {
		text += ": " + c.LastError.Message
	}
	if c.Pending != nil {
		text += "; pending: " + c.Pending.Doing + ": " + c.Pending.Error
	}
	return text
}

// orphans returns containers, processes, cgroups and mounts that belong to no unit that runs.
func (f facts) orphans() []string {
	var wrong []string
	merged, ids := map[string]bool{}, map[string]bool{}
	for _, c := range f.containers {
		merged[c.Merged], ids[c.ID] = true, true
		if !named(instance(c.Unit)) {
			wrong = append(wrong, fmt.Sprintf("container %s of unit %q (%s) is not assigned", c.Name, c.Unit, c.Status))
		}
	}
	for id, u := range f.units {
		if name := instance(id); id != "dockhost.service" && !named(name) && u.active != "inactive" {
			wrong = append(wrong, fmt.Sprintf("%s is %s and is not assigned", id, u.active))
		}
	}
	for _, dir := range f.cgroups {
		if i := strings.Index(dir, "/dockhost@"); i < 0 || !f.holds(dir[i+1:]) {
			wrong = append(wrong, "cgroup "+dir+" is left over")
		}
	}
	for _, pid := range f.programs {
		if !slices.ContainsFunc(f.processes, func(p process) bool { return p.pid == pid && strings.Contains(p.cgroup, "/dockhost@") }) {
			wrong = append(wrong, fmt.Sprintf("process %d of a container is in no unit", pid))
		}
	}
	for _, line := range f.shims {
		if _, rest, _ := strings.Cut(line, " -id "); !ids[strings.Fields(rest + " ?")[0]] {
			wrong = append(wrong, "shim "+line+" is left over")
		}
	}
	for _, mount := range f.mounts {
		if !merged[mount] {
			wrong = append(wrong, "mount "+mount+" is left over")
		}
	}
	return wrong
}

// holds reports whether the unit of a cgroup, a path from the unit on, is active.
func (f facts) holds(cgroup string) bool {
	id, _, _ := strings.Cut(cgroup, "/")
	active := f.units[id].active
	return active != "" && active != "inactive" && active != "failed"
}

// leftovers returns the files below /run/dockhost that no container needs.
func (f facts) leftovers() []string {
	ids, supervisors := map[string]bool{}, map[int]bool{}
	for _, c := range f.containers {
		ids[c.ID] = true
	}
	for id, u := range f.units {
		if named(instance(id)) {
			supervisors[u.pid] = true
		}
	}
	var wrong []string
	for _, line := range f.files {
		file := line[strings.Index(line, "/"):]
		dir, base := path.Base(path.Dir(file)), path.Base(file)
		stem := strings.TrimSuffix(base, ".json")
		bad := false
		switch {
		case dir == "runtime" && strings.HasPrefix(base, "notify-"):
			pid, _ := strconv.Atoi(strings.TrimPrefix(base, "notify-"))
			bad = !supervisors[pid]
		case dir == "runtime":
			bad = !ids[stem]
		case dir == "updates":
			bad = !named(stem)
		case dir == "images":
			bad = strings.HasPrefix(base, "claim-")
		case dir == "state" || dir == "containers" || dir == "files":
			bad = !named(stem)
		}
		if bad {
			wrong = append(wrong, file+" is left over")
		}
	}
	for _, dir := range f.dropins {
		// The drop-in without a name is the one for all containers.
		if name := instance(strings.TrimSuffix(path.Base(dir), ".d")); name != "" && !named(name) {
			wrong = append(wrong, dir+" is left over")
		}
	}
	if len(f.volumes) != 1 {
		wrong = append(wrong, fmt.Sprintf("volumes %q, want that of the container data alone", f.volumes))
	}
	return wrong
}

// missing returns the files that a running container needs, and that are not there.
func (f facts) missing() []string {
	want := []string{"/run/dockhost/logins/config.json"}
	for _, name := range names {
		want = append(want, "/run/dockhost/containers/"+name+".json", "/run/dockhost/state/"+name+".json",
			"/run/systemd/system/"+unitName(name)+".d")
	}
	for _, c := range f.containers {
		want = append(want, "/run/dockhost/runtime/"+c.ID+".json")
	}
	var wrong []string
	for _, file := range want {
		if !slices.ContainsFunc(slices.Concat(f.files, f.dropins), func(line string) bool { return strings.HasSuffix(line, file) }) {
			wrong = append(wrong, file+" is missing")
		}
	}
	return wrong
}

func unitName(container string) string { return "dockhost@" + container + ".service" }

func instance(unit string) string {
	return strings.TrimSuffix(strings.TrimPrefix(unit, "dockhost@"), ".service")
}
