//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
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

// What docker and systemctl do to a container and its unit works on both.
func TestCommandsOnAContainer(t *testing.T) {
	h := newHost(t)
	h.assign(idling(map[string][]string{"tool": {"mem_limit: 100m"}}))
	h.ready("tool")
	const unit = "dockhost@tool.service"
	pid, cgroups := h.pid("tool"), h.cgroups("tool")
	// systemd and Docker return when the container's processes are stopped.
	frozen := func() bool {
		cgroup := h.property(unit, "ControlGroup") + "/container"
		if h.unified() {
			return strings.Contains(h.run("cat /sys/fs/cgroup"+cgroup+"/cgroup.events"), "frozen 1")
		}
		return h.output("cat /sys/fs/cgroup/freezer"+cgroup+"/freezer.state") == "FROZEN"
	}

	t.Run("docker stats", func(t *testing.T) {
		h := &host{t}
		h.controller("memory")
		if usage := h.output("docker stats --no-stream --format '{{.MemUsage}}' tool"); strings.HasPrefix(usage, "0B") || !strings.Contains(usage, "/ 100MiB") {
			t.Errorf("docker stats says %q, want the container's use of 100MiB", usage)
		}
	})
	t.Run("docker top", func(t *testing.T) {
		h := &host{t}
		if out := h.run("docker top tool"); !strings.Contains(out, "sleep 1000") {
			t.Errorf("docker top says %q", out)
		}
	})
	t.Run("docker exec", func(t *testing.T) {
		h := &host{t}
		h.run("docker exec -d tool sleep 63")
		h.eventually("the exec runs", func() error {
			exec, code := h.try("pgrep -xf 'sleep 63'")
			if code != 0 {
				return fmt.Errorf("no process")
			}
			if at := h.run("cat /proc/" + strings.TrimSpace(exec) + "/cgroup"); at != cgroups {
				t.Errorf("it lies in %q, the container in %q", at, cgroups)
			}
			return nil
		})
	})
	t.Run("docker update", func(t *testing.T) {
		h := &host{t}
		tree := h.controller("memory") + h.property(unit, "ControlGroup")
		h.run("docker update --memory 50m --memory-swap 50m tool")
		if got := h.output("cat " + tree + "/container/memory.limit_in_bytes 2>/dev/null || cat " + tree + "/container/memory.max"); got != "52428800" {
			t.Errorf("the container's limit is %s, want 52428800", got)
		}
	})
	t.Run("docker pause", func(t *testing.T) {
		h := &host{t}
		h.run("docker pause tool")
		during := frozen()
		h.run("docker unpause tool")
		if after := frozen(); !during || after {
			t.Errorf("frozen = %v while paused and %v after, want true, false", during, after)
		}
		h.run("docker exec tool true")
	})
	t.Run("docker cp", func(t *testing.T) {
		h := &host{t}
		h.run("echo there and back >/root/cp && docker cp /root/cp tool:/cp && docker cp tool:/cp /root/cp.back")
		if got := h.output("cat /root/cp.back; rm /root/cp*"); got != "there and back" {
			t.Errorf("docker cp brought %q", got)
		}
	})
	t.Run("systemctl kill", func(t *testing.T) {
		h := &host{t}
		h.run("systemctl kill -s USR1 " + unit)
		h.eventually("the container has the signal", func() error {
			if out, code := h.try("docker exec tool ls /usr1"); code != 0 {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
	})
	t.Run("systemctl freeze", func(t *testing.T) {
		h := &host{t}
		if !h.unified() {
			t.Skip("systemd freezes units on cgroup v2 alone")
		}
		h.run("systemctl freeze " + unit)
		during := frozen()
		h.run("systemctl thaw " + unit)
		if after := frozen(); !during || after {
			t.Errorf("frozen = %v and %v after systemctl thaw, want true, false", during, after)
		}
	})
	t.Run("systemd-cgls", func(t *testing.T) {
		h := &host{t}
		if out := h.run("systemd-cgls --no-pager -u " + unit); !strings.Contains(out, "sleep 1000") || !strings.Contains(out, "dockhost-supervise tool") {
			t.Errorf("systemd-cgls says %q", out)
		}
	})
	t.Run("systemd-cgtop", func(t *testing.T) {
		h := &host{t}
		cgroup := h.property(unit, "ControlGroup")
		if out := h.run("systemd-cgtop -P --batch -n 1 --depth 9 " + cgroup); !strings.Contains(out, cgroup+"/container") {
			t.Errorf("systemd-cgtop says %q", out)
		}
	})
	if h.pid("tool") != pid || h.cgroups("tool") != cgroups || h.property(unit, "ActiveState") != "active" {
		t.Errorf("pid = %s in %q, want %s in %q", h.pid("tool"), h.cgroups("tool"), pid, cgroups)
	}
	h.wentClean("tool", unit)
}

// fuse is a device node that Docker lets no container use by default.
const fuse = "/dev/fuse"

// systemd writes the device rules of what it manages again whenever it likes;
// the container's cgroup is none of that.
func TestDeviceStaysUsable(t *testing.T) {
	h := newHost(t)
	if out, code := h.try("[ -e " + fuse + " ] || mknod " + fuse + " c 10 229; exec 3<>" + fuse); code != 0 {
		t.Skipf("%s may not open %s: %s", hostName(), fuse, out)
	}
	h.Cleanup(func() { h.try("rm -f " + fuse) })
	h.assign(idling(map[string][]string{
		"device": {"devices: ['" + fuse + "']", "mem_limit: 100m"},
		"none":   nil,
	}))
	h.ready("device")
	h.ready("none")
	const unit = "dockhost@device.service"
	const open = " sh -c 'exec 3<>" + fuse + "'"
	h.run("docker exec none mknod " + fuse + " c 10 229")
	if out, code := h.try("docker exec none" + open); code == 0 || !strings.Contains(out, "not permitted") {
		t.Fatalf("without the device a container may open it (%d, %s): what follows would prove nothing", code, out)
	}
	h.run("docker exec device" + open)
	pid, cgroups := h.pid("device"), h.cgroups("device")
	limit := "cat /sys/fs/cgroup" + h.property(unit, "ControlGroup") + "/container/memory.max /sys/fs/cgroup/memory" +
		h.property(unit, "ControlGroup") + "/container/memory.limit_in_bytes 2>/dev/null || true"
	limited := h.output(limit)

	for _, disturbance := range []string{
		"systemctl daemon-reload",
		"systemctl daemon-reexec",
		"systemctl set-property --runtime " + unit + " CPUWeight=50 IOWeight=50 TasksMax=500 MemoryMax=200M",
		"systemctl daemon-reload",
		"systemctl revert " + unit,
	} {
		t.Run(disturbance, func(t *testing.T) {
			h := &host{t}
			h.run(disturbance)
			if h.pid("device") != pid || h.cgroups("device") != cgroups {
				t.Errorf("pid = %s in %q, want %s in %q", h.pid("device"), h.cgroups("device"), pid, cgroups)
			}
			if got := h.output(limit); got != limited {
				t.Errorf("the container's limit is %q, want %q", got, limited)
			}
			h.run("docker exec device" + open)
			if _, code := h.try("docker exec none" + open); code == 0 {
				t.Error("the container without the device may open it")
			}
		})
	}
	h.wentClean("device", unit)
}

// Whatever namespaces a container has, it is born in its unit and leaves
// nothing behind.
func TestModes(t *testing.T) {
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
func TestAnotherRuntime(t *testing.T) {
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
func TestUserNamespaces(t *testing.T) {
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

// declared makes a unit, by hand, of a container that runs the idle shell. The
// unit is gone when the test ends.
func (h *host) declared(name string, run spec.Run, lines ...string) {
	h.Helper()
	run.Stdout, run.Stderr = true, true
	raw, err := json.Marshal(spec.Container{
		Name: name, Image: "localhost:5000/busybox", PullPolicy: spec.PullMissing, Notify: spec.NotifyStarted, Run: &run,
		Config:     &container.Config{Image: "localhost:5000/busybox", Cmd: []string{"sh", "-c", idle}},
		HostConfig: &container.HostConfig{},
	})
	if err != nil {
		h.Fatal(err)
	}
	h.login()
	h.run("docker pull -q localhost:5000/busybox")
	h.write("/run/"+name+".json", string(raw))
	h.Cleanup(func() {
		h.try("rm -f /run/" + name + ".json; rm -rf /run/systemd/system.control/" + name + ".service.d")
	})
	h.unit(name+".service", "[Service]\nType=notify\nKillMode=mixed\nExecStart=/usr/libexec/dockhost/dockhost-supervise /run/"+name+".json\n"+
		strings.Join(lines, "\n")+"\n")
}

// On cgroup v1 a container may lie in its unit in some trees alone.
func TestSomeTrees(t *testing.T) {
	for name, test := range map[string]struct {
		named  []string
		driver string
	}{
		"with systemd's tree": {[]string{"name=systemd", "memory", "cpuset"}, "cgroupfs"},
		"without":             {[]string{"memory"}, "cgroupfs"},
		// systemd removes a scope in which it sees no process.
		"with Docker's other driver": {[]string{"name=systemd", "memory"}, "systemd"},
	} {
		t.Run(name, func(t *testing.T) {
			named := test.named
			h := newHost(t)
			h.configureDocker("exec-opts", `["native.cgroupdriver=`+test.driver+`"]`)
			h.declared("trees", spec.Run{Controllers: named}, "Delegate=yes")
			h.start("trees")
			const unit, in = "trees.service", "/system.slice/trees.service/container"
			if h.unified() {
				h.inPlace("trees", unit)
				if log := h.said(unit); strings.Count(log, "one cgroup hierarchy") != 1 {
					t.Errorf("the journal does not say once that there is one tree: %s", log)
				}
				h.wentClean("trees", unit)
				return
			}
			id := h.output("docker inspect -f '{{.Id}}' trees")
			for line := range strings.Lines(h.cgroups("trees")) {
				fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
				tree, at := fields[1], fields[2]
				if tree == "" {
					tree = "name=systemd" // the v2 tree of a hybrid host goes with it
				}
				if want := map[bool]string{true: in, false: "/docker/" + id}[slices.Contains(named, tree)]; at != want {
					t.Errorf("in %s it lies in %q, want %q", tree, at, want)
				}
			}
			h.run("docker exec trees true")
			h.wentClean("trees", unit)
			if left := h.output("find /sys/fs/cgroup -type d -name " + id); left != "" {
				t.Errorf("cgroups left: %s", left)
			}
		})
	}
}

// Units that people write, with and without Delegate=, as root and as a member
// of the group docker.
func TestHandWrittenUnits(t *testing.T) {
	for _, user := range []string{"root", "deployer"} {
		for _, delegate := range []string{"yes", "no"} {
			t.Run(user+", Delegate="+delegate, func(t *testing.T) {
				h := newHost(t)
				if user != "root" {
					h.run("id " + user + " >/dev/null 2>&1 || useradd -G docker " + user)
				}
				h.declared("hand", spec.Run{}, "User="+user, "Delegate="+delegate, "TasksMax=200")
				h.start("hand")
				const unit = "hand.service"
				h.inPlace("hand", unit)
				if h.unified() {
					if procs := h.output("cat /sys/fs/cgroup/system.slice/hand.service/cgroup.procs"); procs != "" {
						t.Errorf("processes %s lie above the container, so that cgroup v2 gives it no controllers", procs)
					}
				}
				pid, cgroups := h.pid("hand"), h.cgroups("hand")
				h.run("systemctl daemon-reload && systemctl daemon-reexec && systemctl set-property --runtime hand.service TasksMax=150")
				if h.pid("hand") != pid || h.cgroups("hand") != cgroups {
					t.Errorf("pid = %s in %q, want %s in %q", h.pid("hand"), h.cgroups("hand"), pid, cgroups)
				}
				h.run("docker exec hand true")
				h.wentClean("hand", unit)
			})
		}
	}
}
