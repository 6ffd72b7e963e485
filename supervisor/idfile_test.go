package supervisor

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/request"
)

func newRun() *spec.Run { return &spec.Run{Stdout: true, Stderr: true} }

// A kept container stays after its end, and the next start replaces it.
func TestKeep(t *testing.T) {
	r := newRig(t)
	r.spec.Run = newRun()
	r.spec.Run.Keep = true
	r.command("-exit-after", "10ms", "-exit-code", "3")
	first := r.start()
	first.exits(3, "exit code 3")
	kept, err := r.engine().Inspect(t.Context(), "app")
	if err != nil || kept.Running || kept.ExitCode != 3 {
		t.Fatalf("Inspect() = %+v, %v, want it ended with 3", kept, err)
	}
	if placed, _ := os.ReadDir(r.dir.RuntimeDir()); len(placed) != 0 {
		t.Errorf("placements left: %v, want none", placed)
	}
	r.start().exits(3, "exit code 3")
	if again, err := r.engine().Inspect(t.Context(), "app"); err != nil || again.ID == kept.ID {
		t.Errorf("Inspect() = %+v, %v, want another container", again, err)
	}
	if _, err := r.dir.State("app"); err == nil {
		t.Error("the run directory has a state, want none of a container that is not assigned")
	}
}

// Docker names a container without a name; its leftovers are found by their unit.
func TestNameless(t *testing.T) {
	r := newRig(t)
	r.spec.Name, r.spec.Run = "", newRun()
	r.spec.Run.Keep = true
	r.command("-exit-after", "10ms")
	for range 2 {
		r.start().exits(0, "")
	}
	found, err := r.engine().ListByLabel(t.Context(), request.LabelUnit, unitName)
	if err != nil || len(found) != 1 {
		t.Errorf("containers = %+v, %v, want the last one", found, err)
	}
}

// Files with ids exist while the container runs.
func TestIDFiles(t *testing.T) {
	r := newRig(t)
	r.spec.Run = newRun()
	pidFile, cidFile := filepath.Join(r.root, "app.pid"), filepath.Join(r.root, "app.cid")
	r.spec.Run.PIDFile, r.spec.Run.CIDFile = pidFile, cidFile
	r.write("app.cid", "an old one, longer than an id of 64 digits: "+strings.Repeat("x", 64))
	l := r.start()
	l.ready()
	found, err := r.engine().Inspect(t.Context(), "app")
	if err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{pidFile: strconv.Itoa(r.process.Pid) + "\n", cidFile: found.ID} {
		if got, err := os.ReadFile(file); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v, want %q", filepath.Base(file), got, err, want)
		}
	}
	l.stop()
	l.ends(0, "")
	for _, file := range []string{pidFile, cidFile} {
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%s still exists", filepath.Base(file))
		}
	}
}

func TestIDFileThatCannotBe(t *testing.T) {
	r := newRig(t)
	r.spec.Run = newRun()
	r.spec.Run.PIDFile = filepath.Join(r.root, "none", "app.pid")
	r.start().ends(ExitNotRun, "write the file for the pid")
}

// A container that is handed over to systemd runs on without its supervisor.
func TestDetach(t *testing.T) {
	r := newRig(t)
	r.spec.Run = &spec.Run{Keep: true, Quiet: true, Detach: true}
	l := r.start()
	l.exits(0, "")
	if want := "HANDOVER " + strconv.Itoa(r.process.Pid); l.notify.count(want) != 1 || l.notify.count("READY") != 0 {
		t.Errorf("systemd was sent:\n%s\nwant %q", l.notify, want)
	}
	found, err := r.engine().Inspect(t.Context(), "app")
	if err != nil || !found.Running {
		t.Errorf("Inspect() = %+v, %v, want it to run", found, err)
	}
	if placed, _ := os.ReadDir(r.dir.RuntimeDir()); len(placed) != 1 {
		t.Errorf("placements = %v, want the container's", placed)
	}
}
