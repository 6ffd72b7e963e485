package agent

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// made returns a container that the supervisor of a unit has created.
func made(name, unit, supervisor, status string) engine.Container {
	return engine.Container{
		Name: name, Status: status, CgroupParent: placement.CgroupParent(unit),
		Labels: map[string]string{request.LabelUnit: unit, request.LabelSupervisor: supervisor},
	}
}

// The agent removes the containers of assigned containers' units that no supervisor
// owns, and no others.
func TestSweepContainers(t *testing.T) {
	const alive, dead = "7/300/b007", "8/300/b007"
	const web, old = "dockhost@web.service", "dockhost@old.service"
	copied := made("copied", old, dead, "running")
	copied.CgroupParent = ""
	h := newTestHost(t)
	h.write("/proc/7/stat", "7 (dockhost-superv) S 1 1 1 0 -1 4194560 1 1 0 0 0 0 0 0 20 0 8 0 300 1 1")
	h.write("/proc/sys/kernel/random/boot_id", "b007\n")
	h.engine.containers = map[string]engine.Container{
		"ended":       made("old", old, dead, "exited"),
		"renamed":     made("my-copy", old, dead, "exited"),
		"created":     made("old2", old, dead, "created"),
		"running":     made("old3", old, dead, "running"),
		"replaced":    made("web-before", web, dead, "exited"),
		"* stopping":  made("web", web, alive, "exited"),
		"* restarted": made("web2", web, dead, "running"),
		"* copied":    copied,
		"* written":   made("mine", "mine.service", dead, "exited"),
		"* strange":   {Name: "strange"},
	}
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	dir := rundir.Dir(filepath.Join(h.root, rundir.Path)).RuntimeDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	h.write("/sys/fs/cgroup/cgroup.controllers", "")
	h.write("/sys/fs/cgroup/system.slice/up.service/cgroup.procs", "")
	for id, unit := range map[string]string{"ended": "old.service", "* written": "mine.service", "gone": "old.service", "* up": "up.service"} {
		if err := placement.Write(dir, id, placement.Placement{Unit: unit, CgroupPath: "/system.slice/" + unit + "/container"}); err != nil {
			t.Fatal(err)
		}
	}
	h.write(filepath.Join(rundir.Path, "runtime/.tmp-half"), "{")
	if !a.sweeper.sweep(t.Context()) {
		t.Error("sweep() = false, want true")
	}
	want := []string{"* copied", "* restarted", "* stopping", "* strange", "* written"}
	if got := slices.Sorted(maps.Keys(h.engine.containers)); !slices.Equal(got, want) {
		t.Errorf("containers = %q, want %q", got, want)
	}
	if got, err := placement.IDs(dir); err != nil || !slices.Equal(got, []string{"* up", "* written"}) {
		t.Errorf("placements = %q, %v, want those that may be used", got, err)
	}
	h.engine.down = true
	if a.sweeper.sweep(t.Context()) {
		t.Error("sweep() = true although Docker does not answer")
	}
}

// Files of names that are not assigned are removed, unless their unit runs. That such a unit
// had failed is forgotten, and told.
func TestSweepFiles(t *testing.T) {
	h := newTestHost(t)
	core, logs := observer.New(zap.WarnLevel)
	dir := rundir.Dir(filepath.Join(h.root, rundir.Path))
	leave := func(name string) {
		if err := dir.WriteState(name, rundir.State{Phase: "ended"}); err != nil {
			t.Fatal(err)
		}
		h.write(filepath.Join(rundir.Path, "files", name, "0"), "secret")
		h.write("/run/systemd/system/dockhost@"+name+".service.d/50-dockhost.conf", "[Unit]\n")
	}
	leave("web")
	leave("old")
	a := h.agent(func(o *Options) { o.Log = zap.New(core) })
	if err := a.sweeper.files.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if names, _ := dir.Names(); len(names) != 2 {
		t.Errorf("Names() = %q before it is known what is assigned, want all", names)
	}
	h.userData("i-1", containers("web nginx:1"))
	a.takeOver(t.Context()).wait()
	leave("up")
	h.units.active["dockhost@up.service"] = true
	leave("crashed")
	h.units.failed["dockhost@crashed.service"] = true
	if err := a.sweeper.files.sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"up", "web"}
	if names, err := dir.Names(); err != nil || !slices.Equal(names, want) {
		t.Errorf("Names() = %q, %v, want %q", names, err, want)
	}
	if names := a.units.dropIns.names(); !slices.Equal(slices.DeleteFunc(names, func(n string) bool { return n == "up" }), []string{"web"}) {
		t.Errorf("drop-ins = %q, want none of old", names)
	}
	if _, err := os.Stat(dir.FilesDir("old")); err == nil {
		t.Error("secrets of old are left")
	}
	if told := logs.FilterMessageSnippet("had failed").Len(); told != 1 || h.units.failed["dockhost@crashed.service"] {
		t.Errorf("the failure of crashed was told %d times, forgotten = %t", told, !h.units.failed["dockhost@crashed.service"])
	}
}

func (f *fakeEngine) Containers(context.Context) ([]engine.StoredContainer, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.down {
		return nil, engine.ErrUnreachable
	}
	var list []engine.StoredContainer
	for id, c := range f.containers {
		list = append(list, engine.StoredContainer{ID: id, Name: c.Name, Labels: c.Labels})
	}
	return list, nil
}

func (f *fakeEngine) Inspect(_ context.Context, id string) (engine.Container, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, exists := f.containers[id]
	if !exists {
		return engine.Container{}, fmt.Errorf("inspect container %q: %w", id, engine.ErrNotFound)
	}
	return c, nil
}

func (f *fakeEngine) Remove(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.containers, id)
	return nil
}
