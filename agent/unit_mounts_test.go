package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unitFiles lists the files below the host's directory of unit files.
func (h *testHost) unitFiles() []string {
	h.Helper()
	top := filepath.Join(h.root, "/run/systemd/system")
	var names []string
	_ = filepath.WalkDir(top, func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, strings.TrimPrefix(path, top+"/"))
		}
		return nil
	})
	return names
}

func mounted(device string) string {
	return containers("db postgres:1") + "      x-dockhost: {mounts: [{what: " + device + ", where: /mnt/data, type: ext4, makefs: true}]}\n"
}

// The units of a mount exist while a container needs it. A changed mount is unmounted
// first.
func TestMountUnitsFollowContainers(t *testing.T) {
	h := newTestHost(t)
	h.write("/run/systemd/system/srv.mount", "[Mount]\n")
	h.userData("i-1", mounted("/dev/sdb"))
	h.agent().takeOver(t.Context()).wait()
	want := []string{
		"dev-sdb.device.wants/dockhost@db.service", "dockhost-makefs@dev-sdb.service", "dockhost@.service.d/40-dockhost.conf", "dockhost@db.service.d/50-dockhost.conf",
		"mnt-data.mount", "srv.mount",
	}
	if diff := cmp.Diff(want, h.unitFiles()); diff != "" {
		t.Errorf("unit files (-want +got):\n%s", diff)
	}
	if text := h.read("/run/systemd/system/dockhost@db.service.d/50-dockhost.conf"); !strings.Contains(text, "\nRequiresMountsFor=/mnt/data\n") {
		t.Errorf("the drop-in = %s, want RequiresMountsFor=", text)
	}
	h.agent().takeOver(t.Context()).wait()
	if h.units.reloads != 1 || h.units.starts["dockhost@db.service"] != 1 {
		t.Errorf("daemon-reloads = %d, starts = %v, want one each", h.units.reloads, h.units.starts)
	}

	h.units.active["mnt-data.mount"] = true
	h.engine.images["postgres:1"] = true
	h.userData("i-1", mounted("/dev/sdc"))
	h.agent().takeOver(t.Context()).wait()
	if h.units.active["mnt-data.mount"] {
		t.Error("/mnt/data is still mounted as it was")
	}
	want[0], want[1] = "dev-sdc.device.wants/dockhost@db.service", "dockhost-makefs@dev-sdc.service"
	if diff := cmp.Diff(want, h.unitFiles()); diff != "" {
		t.Errorf("unit files of another device (-want +got):\n%s", diff)
	}

	h.units.active["mnt-data.mount"] = true
	h.userData("i-1", containers("web nginx:1"))
	h.agent().takeOver(t.Context()).wait()
	if diff := cmp.Diff([]string{"dockhost@.service.d/40-dockhost.conf", "dockhost@web.service.d/50-dockhost.conf", "srv.mount"}, h.unitFiles()); diff != "" {
		t.Errorf("unit files without the mount (-want +got):\n%s", diff)
	}
	if h.units.active["mnt-data.mount"] {
		t.Error("/mnt/data is still mounted")
	}
}

// A mount unit that dockhost did not write is not touched.
func TestForeignMountUnitStays(t *testing.T) {
	h := newTestHost(t)
	const own = "[Mount]\nWhat=/dev/sdz\n"
	h.write("/run/systemd/system/mnt-data.mount", own)
	h.userData("i-1", mounted("/dev/sdb"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	if got := h.read("/run/systemd/system/mnt-data.mount"); got != own {
		t.Errorf("mnt-data.mount = %q, want it left alone", got)
	}
	if line := a.reporter.line(); !strings.Contains(line, "mnt-data.mount exists and was not written by dockhost") {
		t.Errorf("status line = %q, want it to name the unit", line)
	}
}

func TestCredentialsInDropIn(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web r.test/web:1")+"  registries: {r.test: {username: u, password_credential: reg.pw}}\n")
	h.agent().takeOver(t.Context()).wait()
	if text := h.read("/run/systemd/system/dockhost@web.service.d/50-dockhost.conf"); !strings.Contains(text, "\nImportCredential=reg.pw\n") {
		t.Errorf("the drop-in = %s, want the credential", text)
	}
}

func (h *testHost) read(path string) string {
	h.Helper()
	raw, err := os.ReadFile(filepath.Join(h.root, path))
	if err != nil {
		h.Fatal(err)
	}
	return string(raw)
}
