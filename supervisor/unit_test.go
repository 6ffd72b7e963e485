package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// v1 makes the host one of cgroup v1, where containers are born in the unit in
// these hierarchies, and in Docker's own cgroup in the others.
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

// The container is placed and verified in the named hierarchies.
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

// On v2 the container is placed in its unit whatever controllers are named.
func TestControllersOnV2(t *testing.T) {
	r := newRig(t)
	r.controllers("memory", "none")
	l := r.start()
	l.ready()
	if got := l.placed().Controllers; got != nil {
		t.Errorf("placement has controllers %q, want none", got)
	}
}

// The container's own limits are set in Docker's cgroup.
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

// Outside a unit Docker chooses the container's cgroup.
func TestForeground(t *testing.T) {
	r := newRig(t)
	r.spec.Run = newRun()
	r.spec.Runtime = "runc"
	r.write("proc/self/cgroup", "0::/user.slice/user-0.slice/session-1.scope\n")
	r.bornIn("/system.slice/docker-0123.scope")
	l := r.start()
	l.ready()
	found, err := r.engine().Inspect(t.Context(), "app")
	if err != nil || found.Labels[request.LabelUnit] != "" || found.Labels[request.LabelSupervisor] == "" {
		t.Errorf("Inspect() = %+v, %v, want it without a unit", found, err)
	}
	l.stop()
	l.ends(0, "")
}

// An assigned container runs in its own unit alone. A supervisor that was called
// elsewhere leaves the state of the one in the unit as it is.
func TestAssignedContainerNeedsItsUnit(t *testing.T) {
	for _, cgroup := range []string{"/user.slice/user-0.slice/session-1.scope", "/system.slice/cron.service", "/user.slice/user-0.slice/user@0.service/app.slice/sh.scope"} {
		r := newRig(t)
		r.write("proc/self/cgroup", "0::"+cgroup+"\n")
		before := rundir.State{Phase: "running", Ready: true, ContainerID: "0123"}
		if err := r.dir.WriteState("app", before); err != nil {
			t.Fatal(err)
		}
		if code, err := r.prepare().supervisor.Run(t.Context()); code != ExitNotRun || err == nil || !strings.Contains(err.Error(), "systemctl start dockhost@app.service") {
			t.Errorf("in %s: Run() = %d, %v, want %d and what to do", cgroup, code, err, ExitNotRun)
		}
		after, err := r.dir.State("app")
		if diff := cmp.Diff(before, after); err != nil || diff != "" {
			t.Errorf("in %s: state (-want +got):\n%s%v", cgroup, diff, err)
		}
	}
}

// A unit whose main process is another program, such as cron, gets no advice.
func TestNoAdviceForOthers(t *testing.T) {
	core, logged := observer.New(zapcore.WarnLevel)
	r := newRig(t)
	r.spec.Run = newRun()
	r.log = zap.New(core)
	r.units.killMode, r.units.pidOff = "control-group", 1
	r.command("-exit-after", "10ms")
	r.start().ends(0, "")
	if warnings := logged.All(); len(warnings) != 0 {
		t.Errorf("warnings = %+v, want none", warnings)
	}
}

// The settings that a unit lacks are logged once, as lines to add.
func TestAdvice(t *testing.T) {
	core, logged := observer.New(zapcore.WarnLevel)
	r := newRig(t)
	r.spec.Run = newRun()
	r.log = zap.New(core)
	r.units.killMode = "control-group"
	r.command("-exit-after", "10ms")
	r.start().ends(0, "")
	warnings := logged.All()
	if len(warnings) != 1 {
		t.Fatalf("warnings = %+v, want one", warnings)
	}
	if lines := warnings[0].ContextMap()["lines"]; lines != "Delegate=yes KillMode=mixed" {
		t.Errorf("lines to add = %v, want Delegate=yes and KillMode=mixed", lines)
	}
}
