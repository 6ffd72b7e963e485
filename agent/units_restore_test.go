package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/cloudinit/datasource"
)

// snapshotFiles returns the content of the files that the agent and supervisors keep
// for this boot.
func (h *testHost) bootFiles() map[string]string {
	h.Helper()
	files := map[string]string{}
	for _, top := range []string{"/run/dockhost", "/run/systemd/system"} {
		_ = filepath.WalkDir(filepath.Join(h.root, top), func(path string, entry os.DirEntry, err error) error {
			if err == nil && !entry.IsDir() {
				target, _ := os.Readlink(path)
				raw, _ := os.ReadFile(path)
				files[strings.TrimPrefix(path, h.root)] = target + string(raw)
			}
			return nil
		})
	}
	return files
}

// Files of this boot that someone removes or damages are restored. Nothing is started
// or stopped, and what is whole is not touched.
func TestDamagedFilesAreRestored(t *testing.T) {
	const units = "/run/systemd/system/"
	tests := []struct {
		path            string
		garbage         string // "" removes the path
		reload, signals int
	}{
		{"/run/dockhost/containers/db.json", "", 0, 0},
		{"/run/dockhost/containers/db.json", "{", 0, 0},
		{"/run/dockhost/containers/db.json", "{}", 0, 0},
		{"/run/dockhost/containers", "", 0, 0},
		{"/run/dockhost/logins/config.json", "", 0, 0},
		{"/run/dockhost/logins/config.json", "x", 0, 0},
		{"/run/dockhost/logins", "", 0, 0},
		{"/run/dockhost/state/db.json", "", 0, 1},
		{"/run/dockhost/state/db.json", "{}", 0, 1},
		{"/run/dockhost/state/db.json", "\x00", 0, 1},
		{"/run/dockhost/state", "", 0, 1},
		{"/run/dockhost", "", 0, 1},
		{units + "dockhost@db.service.d/50-dockhost.conf", "", 1, 0},
		{units + "dockhost@db.service.d/50-dockhost.conf", "[Service]\n", 1, 0},
		{units + "dockhost@db.service.d", "", 1, 0},
		{units + "mnt-data.mount", "", 1, 0},
		{units + "mnt-data.mount", "# Written by dockhost.service for the mounts of containers.\n", 1, 0},
		{units + "dockhost-makefs@dev-sdb.service", "", 1, 0},
		{units + "dev-sdb.device.wants", "", 1, 0},
		{units, "", 1, 0},
	}
	h := newTestHost(t)
	h.userData("i-1", mounted("/dev/sdb")+"  registries: {r.test: {username: u, password: p}}\n")
	a := h.agent()
	a.takeOver(t.Context()).wait()
	h.units.active["mnt-data.mount"] = true
	want := h.bootFiles()
	for _, test := range tests {
		t.Run(test.path+" "+test.garbage, func(t *testing.T) {
			h.units.reloads, h.units.signals = 0, 0
			h.stop()
			if err := os.RemoveAll(filepath.Join(h.root, test.path)); err != nil {
				t.Fatal(err)
			}
			if test.garbage != "" {
				h.write(test.path, test.garbage)
			}
			if err := a.deployer.restore(t.Context()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, h.bootFiles()); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if h.units.reloads != test.reload || h.units.signals != test.signals {
				t.Errorf("daemon-reloads = %d, signals = %d, want %d, %d", h.units.reloads, h.units.signals, test.reload, test.signals)
			}
			if h.units.starts["dockhost@db.service"] != 1 || !h.units.active["mnt-data.mount"] {
				t.Errorf("starts = %v, active = %v, want nothing started or stopped", h.units.starts, h.units.active)
			}
			if err := a.deployer.restore(t.Context()); err != nil || h.units.reloads != test.reload || h.units.signals != test.signals {
				t.Errorf("another restore() = %v, %d daemon-reloads, %d signals, want nothing", err, h.units.reloads, h.units.signals)
			}
		})
	}
}

// A unit that systemd did not start without its declaration starts once that is restored.
// One that someone has stopped stays so.
func TestRefusedUnitStartsOnceRestored(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1", "db postgres:16"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	h.stop()
	const refused, stopped = "dockhost@web.service", "dockhost@db.service"
	h.units.active = map[string]bool{}
	h.units.refused = map[string]bool{refused: true}
	if err := os.RemoveAll(filepath.Join(h.root, "/run/dockhost/containers")); err != nil {
		t.Fatal(err)
	}
	if err := a.deployer.restore(t.Context()); err != nil {
		t.Fatal(err)
	}
	if starts := h.units.starts; starts[refused] != 2 || starts[stopped] != 1 {
		t.Errorf("starts = %v, want another one of %s only", starts, refused)
	}
}

// An agent that starts after someone has removed all files of this boot restarts no
// container that runs what it should.
func TestRemovedFilesRestartNothing(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	for _, top := range []string{"/run/dockhost", "/run/systemd/system"} {
		h.stop()
		if err := os.RemoveAll(filepath.Join(h.root, top)); err != nil {
			t.Fatal(err)
		}
	}
	h.agent().takeOver(t.Context()).wait()
	if h.units.starts["dockhost@web.service"] != 1 {
		t.Errorf("starts = %v, want one", h.units.starts)
	}
}

// A state that was damaged while no agent ran is written again for the next agent.
func TestDamageBetweenAgentsIsRestored(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	const state = "/run/dockhost/state/web.json"
	want := h.bootFiles()[state]
	h.write(state, "\x00")
	h.serving(datasource.Find, nil)
	h.eventually("the state is written again", func() error {
		if got := h.bootFiles()[state]; got != want {
			return fmt.Errorf("state = %q, want %q", got, want)
		}
		return nil
	})
}
