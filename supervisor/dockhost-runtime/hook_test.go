package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A container that is placed in its unit in some v1 hierarchies only is created in
// Docker's own cgroup by the real runtime, and moved by a hook.
func TestCreateInSomeTrees(t *testing.T) {
	const hooks = `"hooks":{"createRuntime":[{"path":"@bin/self","args":["@bin/self","enter","/system.slice/dockhost@web.service/container","name=systemd","memory"]}],` +
		`"poststop":[{"path":"@bin/self","args":["@bin/self","leave","/system.slice/dockhost@web.service/container"]}]}`
	for name, driver := range map[string]string{"systemd driver": ":docker:", "cgroupfs driver": "/"} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.tree("systemd", "memory")
			h.cgroup("systemd"+web().UnitCgroup(), "")
			h.config(managed + driver + id)
			place := web()
			place.Controllers = []string{"name=systemd", "memory"}
			h.place(place)
			h.run(create)
			h.wantRan("@bin/runc " + strings.Replace(create, "--systemd-cgroup ", "", 1))
			h.wantConfig("{" + hooks + `,"linux":{"cgroupsPath":"/docker/` + id + `"}}`)
		})
	}
}

func TestControllersMeanNothingOnV2(t *testing.T) {
	h := newHost(t)
	h.tree()
	h.cgroup(web().UnitCgroup(), "")
	h.config(managed + ":docker:" + id)
	place := web()
	place.Controllers = []string{"memory"}
	h.place(place)
	h.run(create)
	h.wantConfig(`{"linux":{"cgroupsPath":"/system.slice/dockhost@web.service/container"}}`)
}

func TestEnter(t *testing.T) {
	h := newHost(t)
	const unit, leaf = "/system.slice/web.service", "/system.slice/web.service/container"
	for tree, own := range map[string]string{"systemd": "", "unified": "", "memory": "", "cpuset": "", "pids": "7\n"} {
		h.tree(tree)
		h.cgroup(tree+leaf, own)
	}
	for dir, cpus := range map[string]string{"": "0-3\n", "/system.slice": "1-2\n", unit: "\n", leaf: ""} {
		h.write("cgroup/cpuset"+dir+"/cpuset.cpus", cpus, 0o644)
		h.write("cgroup/cpuset"+dir+"/cpuset.mems", cpus, 0o644)
	}
	p := program{cgroups: cgroups(h.path("cgroup"))}
	args := []string{"enter", leaf, "name=systemd", "memory", "cpuset"}
	if status := p.hook(args, strings.NewReader(`{"id":"x","pid":42}`), &h.stderr); status != 0 {
		t.Fatalf("hook(%q) = %d, %s", args, status, h.stderr.String())
	}
	for tree, want := range map[string]string{"systemd": "42", "unified": "42", "memory": "42", "cpuset": "42", "pids": "7\n"} {
		if got := h.read("cgroup/" + tree + leaf + "/cgroup.procs"); got != want {
			t.Errorf("%s contains process %q, want %q", tree, got, want)
		}
	}
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		if got := h.read("cgroup/cpuset" + leaf + "/" + file); got != "1-2\n" {
			t.Errorf("%s = %q, want the slice's", file, got)
		}
	}
}

func TestEnterFails(t *testing.T) {
	for name, c := range map[string]struct{ state, want string }{
		"no state":  {"", "read the container's state: EOF"},
		"no pid":    {`{"id":"x"}`, "the container's state has no pid"},
		"no memory": {`{"pid":42}`, "no such file or directory"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.tree("systemd")
			p := program{cgroups: cgroups(h.path("cgroup"))}
			h.wantError(p.hook([]string{"enter", "/x.service/container", "memory"}, strings.NewReader(c.state), &h.stderr), c.want)
		})
	}
}

// The hook removes the container's cgroups, and the unit's where systemd has not
// created them.
func TestLeave(t *testing.T) {
	h := newHost(t)
	const unit = "/system.slice/web.service"
	for _, dir := range []string{"systemd", "memory", "other"} {
		h.mkdir("cgroup/" + dir + unit + "/container")
	}
	h.mkdir("cgroup/memory" + unit + "/supervisor")
	h.mkdir("cgroup/pids" + unit)
	h.tree("systemd", "memory", "pids")
	p := program{cgroups: cgroups(h.path("cgroup"))}
	p.hook([]string{"leave", unit + "/container"}, nil, &h.stderr)
	for path, want := range map[string]bool{
		"systemd" + unit + "/container": false, "systemd" + unit: true,
		"memory" + unit + "/container": false, "memory" + unit: true,
		"pids" + unit: false, "pids/system.slice": true,
		"other" + unit + "/container": true, // not a cgroup hierarchy
	} {
		if _, err := os.Stat(filepath.Join(h.path("cgroup"), path)); (err == nil) != want {
			t.Errorf("%s exists: %v, want %v", path, err == nil, want)
		}
	}
}

// The program moves the processes in the unit's own cgroup where the supervisor is
// not permitted to. In this test the processes stay, since no kernel moves them.
func TestVacate(t *testing.T) {
	h := newHost(t)
	h.tree()
	h.cgroup(web().UnitCgroup(), "42\n")
	h.cgroup(web().UnitCgroup()+"/supervisor", "")
	h.config(managed + ":docker:" + id)
	h.place(web())
	h.wantError(h.run(create), "processes are forked faster than they can be moved out of it")
	if got := h.read("cgroup" + web().UnitCgroup() + "/supervisor/cgroup.procs"); got != "42" {
		t.Errorf("the leaf contains process %q, want 42", got)
	}
}
