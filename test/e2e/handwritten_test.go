//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// declared installs a hand-written unit for a container that runs the idle shell,
// until the test ends.
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

// TestContainerJoinsNamedCgroupTrees checks that on cgroup v1 a container joins
// its unit only in the named trees.
func TestContainerJoinsNamedCgroupTrees(t *testing.T) {
	for name, test := range map[string]struct {
		named  []string
		driver string
	}{
		"with systemd's tree": {[]string{"name=systemd", "memory", "cpuset"}, "cgroupfs"},
		"without systemd's":   {[]string{"memory"}, "cgroupfs"},
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
					t.Errorf("journal = %s, want one line about the single cgroup tree", log)
				}
				h.wentClean("trees", unit)
				return
			}
			id := h.output("docker inspect -f '{{.Id}}' trees")
			for line := range strings.Lines(h.cgroups("trees")) {
				fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
				tree, at := fields[1], fields[2]
				if tree == "" {
					tree = "name=systemd" // the v2 tree of a hybrid host follows it
				}
				if want := map[bool]string{true: in, false: "/docker/" + id}[slices.Contains(named, tree)]; at != want {
					t.Errorf("cgroup in tree %s = %q, want %q", tree, at, want)
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

// TestHandWrittenUnitHoldsContainer runs hand-written units with and without
// Delegate=, as root and as a member of the group docker.
func TestHandWrittenUnitHoldsContainer(t *testing.T) {
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
						t.Errorf("processes %s are in the cgroup above the container, so cgroup v2 gives the container no controllers", procs)
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

// TestRemovedPlacementIsRestored removes the files below /run/dockhost while the container
// of a unit runs. The container stays in its unit, also after docker restart, and leaves
// nothing.
func TestRemovedPlacementIsRestored(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("one.service", service("/usr/bin/dockhost run --rm --name one localhost:5000/app:1"))
	h.start("one")
	h.run("rm -rf /run/dockhost/runtime/*")
	pid := h.pid("one")
	h.run("docker restart -t 5 one")
	if h.pid("one") == pid {
		t.Error("the container was not restarted")
	}
	h.inUnit("one", "one.service")
	h.run("rm -rf /run/dockhost/runtime/*; systemctl restart one")
	h.inUnit("one", "one.service")
	h.run("rm -rf /run/dockhost/runtime/*; systemctl stop one")
	if result := h.property("one", "Result"); result != "success" {
		t.Errorf("Result = %s, want success", result)
	}
	h.nothingLeft("one.service")
}
