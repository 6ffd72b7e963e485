//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
)

// idling is the services section of containers that run busybox's shell. Each
// notes SIGUSR1 in the file /usr1, by itself, for a command of its own would
// get the signal too, and ends at once on SIGTERM.
func idling(containers map[string][]string) string {
	section := "dockhost:\n  containers:\n"
	for _, name := range slices.Sorted(maps.Keys(containers)) {
		section += "    " + name + ":\n      image: localhost:5000/busybox\n      command: [sh, -c, '" + idle + "']\n"
		for _, key := range containers[name] {
			section += "      " + key + "\n"
		}
	}
	return section + registries
}

// idle is a shell script that does nothing until it is told.
const idle = "trap exit TERM; trap \": >/usr1\" USR1; while :; do sleep 1000 & wait; done"

// controller skips a test where the host has not got a cgroup controller, and
// else returns the directory of its tree.
func (h *host) controller(name string) string {
	h.Helper()
	if h.unified() {
		if have := h.output("cat /sys/fs/cgroup/cgroup.controllers"); !slices.Contains(strings.Fields(have), name) {
			h.Skipf("%s has no cgroup controller %s, but %q", hostName(), name, have)
		}
		return "/sys/fs/cgroup"
	}
	if name == "io" {
		name = "blkio"
	}
	if _, code := h.try("test -e /sys/fs/cgroup/" + name + "/cgroup.procs"); code != 0 {
		h.Skipf("%s has no cgroup tree %s", hostName(), name)
	}
	return "/sys/fs/cgroup/" + name
}

// unified tells whether the host has cgroup v2 alone.
func (h *host) unified() bool {
	h.Helper()
	_, code := h.try("test -e /sys/fs/cgroup/cgroup.controllers")
	return code == 0
}

// cgroups are the cgroups of a container's first process in all trees.
func (h *host) cgroups(name string) string {
	h.Helper()
	return h.run("cat /proc/" + h.pid(name) + "/cgroup")
}

// tracked is the cgroup of a process in the tree in which systemd follows it.
func (h *host) tracked(pid string) string {
	h.Helper()
	return h.output("grep -E '^[0-9]+:name=systemd:|^0:' /proc/" + pid + "/cgroup | " + map[bool]string{true: "tail", false: "head"}[h.unified()] +
		" -n 1 | cut -d: -f3-")
}

// inPlace fails unless the container was born in its unit's cgroup.
func (h *host) inPlace(name, unit string) {
	h.Helper()
	if at, want := h.tracked(h.pid(name)), h.property(unit, "ControlGroup")+"/container"; at != want {
		h.Errorf("container %s lies in %q, want %q", name, at, want)
	}
}

// wentClean stops a unit and fails when it does not end well, or when its
// container, placement or cgroup is left in any tree.
func (h *host) wentClean(name, unit string) {
	h.Helper()
	h.run("timeout 60 systemctl stop " + unit)
	if result := h.property(unit, "Result"); result != "success" {
		h.Errorf("%s: Result = %s, want success", unit, result)
	}
	if left := h.output("docker ps -aq -f name=^" + name + "$; grep -ls '\"" + unit + "\"' /run/dockhost/runtime/* || true"); left != "" {
		h.Errorf("%s: left: %s", unit, left)
	}
	if left := h.output("find /sys/fs/cgroup -type d -name '" + unit + "'"); left != "" {
		h.Errorf("%s: cgroups left: %s", unit, left)
	}
}
