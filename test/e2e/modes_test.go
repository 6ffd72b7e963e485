//go:build e2e

package e2e

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestNamespaceModesTakeEffect runs containers with various namespaces: each
// setting takes effect, and each container starts in its unit's cgroup.
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
		t.Logf("skipping privileged: Docker on %s may not run such a container: %s", hostName(), out)
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
	// Containers in another container's namespace stop first: they end with it.
	names := slices.Sorted(maps.Keys(modes))
	slices.Reverse(names)
	for _, name := range names {
		h.wentClean(name, "dockhost@"+name+".service")
	}
}

// TestCrunPlacesContainerInUnit runs a container by crun, which refuses to run
// without the controllers of the limits.
func TestCrunPlacesContainerInUnit(t *testing.T) {
	h := newHost(t)
	for _, name := range []string{"io", "memory", "pids", "cpu"} {
		h.controller(name)
	}
	h.assign(idling(map[string][]string{"other": {"runtime: crun", "mem_limit: 100m"}}))
	h.ready("other")
	h.inPlace("other", "dockhost@other.service")
	id := h.output("docker inspect -f '{{.Id}}' other")
	// crun keeps a container's state in the file status, runc in state.json.
	if state := h.output("find /run -path '*" + id + "/status' -o -path '*" + id + "/state.json'"); !strings.HasSuffix(state, "/status") {
		t.Errorf("state of the container is in %q, want crun's file", state)
	}
	h.run("docker exec other true && systemctl daemon-reload && docker exec other true && docker pause other && docker unpause other")
	h.wentClean("other", "dockhost@other.service")
}

// TestUserNamespacesPlaceContainerInUnit runs containers under userns-remap,
// where the container's root is an unprivileged user of the host.
func TestUserNamespacesPlaceContainerInUnit(t *testing.T) {
	h := newHost(t)
	if h.storesInContainerd() {
		t.Skip("dockerd does not start with userns-remap and containerd's image store")
	}
	// The kernel mounts /proc in a user namespace only if a /proc without mounts
	// on top is visible (mount_namespaces(7)). The test host's own has mounts.
	h.run("mkdir -p /run/proc && mount -t proc proc /run/proc")
	h.Cleanup(func() { h.try("umount /run/proc && rmdir /run/proc") })
	h.configureDocker("userns-remap", `"default"`)
	h.assign(idling(map[string][]string{"remapped": nil, "plain": {"userns_mode: host", "pid: host"}}))
	for name, remapped := range map[string]bool{"remapped": true, "plain": false} {
		h.ready(name)
		h.inPlace(name, "dockhost@"+name+".service")
		mapped := strings.Fields(h.output("cat /proc/" + h.pid(name) + "/uid_map"))
		if (mapped[1] != "0") != remapped {
			t.Errorf("root of %s is user %s of the host, want another user: %v", name, mapped[1], remapped)
		}
		h.run("docker exec " + name + " true")
	}
	h.wentClean("remapped", "dockhost@remapped.service")
	h.wentClean("plain", "dockhost@plain.service")
}
