package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// v1 makes the host one of cgroup v1, where containers are born in the unit in
// these trees, and in Docker's own place in the others.
func (r *rig) v1(inUnit ...string) {
	r.t.Helper()
	if err := os.Remove(filepath.Join(r.root, "sys/fs/cgroup/cgroup.controllers")); err != nil {
		r.t.Fatal(err)
	}
	var own, born string
	for _, tree := range []string{"name=systemd", "memory", "pids"} {
		r.write("sys/fs/cgroup/"+placement.HierarchyDir(tree)+"/cgroup.procs", "")
		at := "/docker/x"
		if slices.Contains(inUnit, tree) {
			at = unitCgroup + "/" + containerLeaf
		}
		own += "1:" + tree + ":" + unitCgroup + "/" + supervisorLeaf + "\n"
		born += "1:" + tree + ":" + at + "\n"
	}
	r.write("proc/self/cgroup", own)
	r.write(fmt.Sprintf("proc/%d/cgroup", r.process.Pid), born)
}

func (r *rig) controllers(names ...string) {
	r.spec.Run = newRun()
	r.spec.Run.Controllers = names
}

// placed returns the placement of the container that runs.
func (l *life) placed() placement.Placement {
	l.t.Helper()
	found, err := l.engine().Inspect(l.t.Context(), "app")
	if err != nil {
		l.t.Fatal(err)
	}
	place, err := placement.Read(l.dir.RuntimeDir(), found.ID)
	if err != nil {
		l.t.Fatal(err)
	}
	return place
}

// The named trees are what is placed, and what is verified.
func TestControllers(t *testing.T) {
	for name, named := range map[string][]string{
		"with systemd's own": {"name=systemd", "memory"},
		"without":            {"memory"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.controllers(named...)
			r.v1(named...)
			l := r.start()
			l.ready()
			if got := l.placed().Controllers; !slices.Equal(got, named) {
				t.Errorf("placement has controllers %q, want %q", got, named)
			}
			l.stop()
			l.exits(0, "")
			l.leftNothing()
		})
	}
}

func TestControllersAreVerified(t *testing.T) {
	r := newRig(t)
	r.controllers("name=systemd", "memory")
	r.v1("name=systemd")
	l := r.start()
	l.exits(ExitNotRun, `container was born in cgroup "/docker/x"`)
	l.leftNothing()
}

func TestUnknownController(t *testing.T) {
	r := newRig(t)
	r.controllers("memori")
	r.v1()
	r.start().exits(ExitNotRun, `cannot use cgroup controller "memori"`)
}

// v2 has one tree, in which the container lies in its unit whatever was asked.
func TestControllersOnV2(t *testing.T) {
	r := newRig(t)
	r.controllers("memory", "none")
	l := r.start()
	l.ready()
	if got := l.placed().Controllers; got != nil {
		t.Errorf("placement has controllers %q, want none", got)
	}
}

// A limit of the container's own is set where Docker put it.
func TestLostLimits(t *testing.T) {
	limits := container.Resources{Memory: 1 << 20, NanoCPUs: 1e9}
	for names, want := range map[string]string{
		"name=systemd": "", "memory": "memory", "cpu,cpuacct memory": "memory cpu", "pids": "", "cpuset": "",
	} {
		if got := lostLimits(limits, strings.Fields(names)); strings.Join(got, " ") != want {
			t.Errorf("lostLimits(%s) = %q, want %q", names, got, want)
		}
	}
}
