//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
)

// idling assigns containers that run busybox's shell, with these keys of their
// Compose services. Each creates the file /usr1 on SIGUSR1, and exits at once on
// SIGTERM.
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

// idle is a shell script that waits for signals. It creates the file itself: a
// command such as touch would get systemd's signal too.
const idle = "trap exit TERM; trap \": >/usr1\" USR1; while :; do sleep 1000 & wait; done"

// controller returns the directory of a cgroup controller's tree. It skips the
// test if the host lacks the controller.
func (h *host) controller(name string) string {
	h.Helper()
	if h.unified() {
		if controllers := h.output("cat /sys/fs/cgroup/cgroup.controllers"); !slices.Contains(strings.Fields(controllers), name) {
			h.Skipf("%s has no cgroup controller %s, only %q", hostName(), name, controllers)
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

// unified reports whether the host has only cgroup v2.
func (h *host) unified() bool {
	h.Helper()
	_, code := h.try("test -e /sys/fs/cgroup/cgroup.controllers")
	return code == 0
}

// cgroups returns the cgroups of a container's first process in all trees.
func (h *host) cgroups(name string) string {
	h.Helper()
	return h.run("cat /proc/" + h.pid(name) + "/cgroup")
}

// tracked returns the cgroup of a process in the tree that systemd uses.
func (h *host) tracked(pid string) string {
	h.Helper()
	return h.output("grep -E '^[0-9]+:name=systemd:|^0:' /proc/" + pid + "/cgroup | " + map[bool]string{true: "tail", false: "head"}[h.unified()] +
		" -n 1 | cut -d: -f3-")
}

// inPlace checks that a container is in the cgroup that its unit gives it.
func (h *host) inPlace(name, unit string) {
	h.Helper()
	if got, want := h.tracked(h.pid(name)), h.property(unit, "ControlGroup")+"/container"; got != want {
		h.Errorf("cgroup of container %s = %q, want %q", name, got, want)
	}
}

// wentClean stops a unit, and checks that it succeeded and left no container,
// placement or cgroup in any tree.
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
