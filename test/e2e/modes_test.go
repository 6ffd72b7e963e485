//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// Whatever namespaces a container has, it is born in its unit and leaves
// nothing behind.
func TestNamespaceModesTakeEffect(t *testing.T) {
	h := newHost(t)
	modes := map[string][]string{
		"privileged": {"privileged: true"},
		"readonly":   {"read_only: true"},
		"nethost":    {"network_mode: host"},
		"netnone":    {"network_mode: none"},
		"netother":   {"network_mode: container:netnone"},
		"netservice": {"network_mode: service:netnone"},
		"initial":    {"init: true"},
		"pidhost":    {"pid: host"},
		"cgrouphost": {"cgroup: host"},
	}
	h.login()
	h.run("docker pull -q localhost:5000/busybox")
	if out, code := h.try("docker run --rm --privileged localhost:5000/busybox true"); code != 0 {
		t.Logf("privileged is left out: Docker itself has not got the rights on %s: %s", hostName(), out)
		delete(modes, "privileged")
	}
	h.assign(idling(modes))
	for name := range modes {
		h.ready(name)
	}
	namespace := func(name, kind string) string {
		return h.output("readlink /proc/" + h.pid(name) + "/ns/" + kind)
	}
	hosts := func(kind string) string { return h.output("readlink /proc/1/ns/" + kind) }
	takesEffect := map[string]func() bool{
		"privileged": func() bool {
			_, code := h.try("docker exec privileged sh -c 'mkdir /m && mount -t tmpfs x /m'")
			return code == 0
		},
		"readonly":   func() bool { _, code := h.try("docker exec readonly touch /x"); return code != 0 },
		"nethost":    func() bool { return namespace("nethost", "net") == hosts("net") },
		"netnone":    func() bool { return h.output("docker exec netnone ls /sys/class/net") == "lo" },
		"netother":   func() bool { return namespace("netother", "net") == namespace("netnone", "net") },
		"netservice": func() bool { return namespace("netservice", "net") == namespace("netnone", "net") },
		"initial": func() bool {
			return strings.Contains(h.output("cat /proc/"+h.pid("initial")+"/cmdline"), "docker-init")
		},
		"pidhost": func() bool { return namespace("pidhost", "pid") == hosts("pid") },
		"cgrouphost": func() bool {
			return strings.Contains(h.output("docker exec cgrouphost cat /proc/self/cgroup"), "dockhost@cgrouphost.service/container")
		},
	}
	for name := range modes {
		t.Run(name, func(t *testing.T) {
			h := &host{t}
			h.inPlace(name, "dockhost@"+name+".service")
			if check := takesEffect[name]; check == nil || !check() {
				t.Errorf("%v has no effect", modes[name])
			}
		})
	}
	// Those that live in another's namespace go first, for they would go with it.
	names := slices.Sorted(maps.Keys(modes))
	slices.Reverse(names)
	for _, name := range names {
		h.wentClean(name, "dockhost@"+name+".service")
	}
}

// crun is asked for limits in each controller, and refuses without.
func TestCrunPlacesContainerInUnit(t *testing.T) {
	h := newHost(t)
	for _, name := range []string{"io", "memory", "pids", "cpu"} {
		h.controller(name)
	}
	h.assign(idling(map[string][]string{"other": {"runtime: crun", "mem_limit: 100m"}}))
	h.ready("other")
	h.inPlace("other", "dockhost@other.service")
	id := h.output("docker inspect -f '{{.Id}}' other")
	// crun's state of a container is a file of another name than runc's.
	if state := h.output("find /run -path '*" + id + "/status' -o -path '*" + id + "/state.json'"); !strings.HasSuffix(state, "/status") {
		t.Errorf("the container's state is %q, want crun's", state)
	}
	h.run("docker exec other true && systemctl daemon-reload && docker exec other true && docker pause other && docker unpause other")
	h.wentClean("other", "dockhost@other.service")
}

// With user namespaces, root of the container is not root of the host, who
// makes its cgroup.
func TestUserNamespacesPlaceContainerInUnit(t *testing.T) {
	h := newHost(t)
	// The kernel mounts a /proc in a user namespace only where one is to be seen
	// without mounts upon it, which that of a test host has (mount_namespaces(7)).
	h.run("mkdir -p /run/proc && mount -t proc proc /run/proc")
	h.Cleanup(func() { h.try("umount /run/proc && rmdir /run/proc") })
	h.configureDocker("userns-remap", `"default"`)
	h.assign(idling(map[string][]string{"remapped": nil, "plain": {"userns_mode: host", "pid: host"}}))
	for name, remapped := range map[string]bool{"remapped": true, "plain": false} {
		h.ready(name)
		h.inPlace(name, "dockhost@"+name+".service")
		mapped := strings.Fields(h.output("cat /proc/" + h.pid(name) + "/uid_map"))
		if (mapped[1] != "0") != remapped {
			t.Errorf("%s: root is user %s of the host, want another: %v", name, mapped[1], remapped)
		}
		h.run("docker exec " + name + " true")
	}
	h.wentClean("remapped", "dockhost@remapped.service")
	h.wentClean("plain", "dockhost@plain.service")
}
