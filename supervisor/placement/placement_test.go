package placement

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/internal/regular"
)

const id = "4b9c8e3b0d0f4f0c9a6d6b7a4f5e2d1c0b9a8f7e6d5c4b3a291807f6e5d4c3b2"

func TestUnitOf(t *testing.T) {
	for name, c := range map[string]struct {
		path string
		unit string
		ok   bool
	}{
		"systemd driver":           {CgroupParent("dockhost@web.service") + ":docker:" + id, "dockhost@web.service", true},
		"cgroupfs driver":          {CgroupParent("dockhost@web.service") + "/" + id, "dockhost@web.service", true},
		"unit of the user's own":   {CgroupParent("nginx.service") + "/" + id, "nginx.service", true},
		"unit with an escape":      {CgroupParent(`my\x2dapp.service`) + ":docker:" + id, `my\x2dapp.service`, true},
		"unit named like the mark": {CgroupParent("a.slice.service") + "/" + id, "a.slice.service", true},
		"default of cgroupfs":      {"/docker/" + id, "", false},
		"default of systemd":       {"system.slice:docker:" + id, "", false},
		"other parent":             {"/dockhosted/x.service.slice/" + id, "", false},
		"no container below":       {"/dockhost/x.service.slice", "", false},
		"empty unit":               {"/dockhost/.slice/" + id, "", false},
		"empty":                    {"", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			unit, ok := UnitOf(c.path)
			if unit != c.unit || ok != c.ok {
				t.Errorf("UnitOf(%q) = %q, %v, want %q, %v", c.path, unit, ok, c.unit, c.ok)
			}
		})
	}
}

func TestUnitOfRefusesASlash(t *testing.T) {
	if unit, ok := UnitOf("/dockhost/a.slice/b.service.slice/" + id); ok {
		t.Errorf("UnitOf(nested parent) = %q, true, want false", unit)
	}
}

// Docker's systemd cgroup driver refuses a parent that does not end in
// ".slice".
func TestCgroupParentIsASlice(t *testing.T) {
	if parent := CgroupParent("x.service"); !strings.HasSuffix(parent, ".slice") {
		t.Errorf("CgroupParent(x.service) = %q, want a slice", parent)
	}
}

func TestWriteReadRemove(t *testing.T) {
	dir := t.TempDir()
	want := Placement{
		Unit:        "dockhost@web.service",
		CgroupPath:  "/system.slice/system-dockhost.slice/dockhost@web.service/container",
		Controllers: []string{"name=systemd", "cpu,cpuacct"},
		Runtime:     "crun",
		Edits:       []byte(`{"mounts":[{"destination":"/x"}]}`),
	}
	if err := Write(dir, id, want); err != nil {
		t.Fatal(err)
	}
	got, err := Read(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Read after Write (-want +got):\n%s", diff)
	}
	if got.UnitCgroup() != "/system.slice/system-dockhost.slice/dockhost@web.service" {
		t.Errorf("UnitCgroup() = %q", got.UnitCgroup())
	}
	want.Runtime = ""
	if err := Write(dir, id, want); err != nil {
		t.Fatalf("Write over an older one: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) != 1 {
		t.Errorf("Write left %q, want one file", left)
	}
	for range 2 {
		if err := Remove(dir, id); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Read(dir, id); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read after Remove = %v, want ErrNotExist", err)
	}
}

func TestInvalid(t *testing.T) {
	for name, p := range map[string]Placement{
		"no unit":       {CgroupPath: "/system.slice/x.service/container"},
		"no path":       {Unit: "x.service"},
		"relative":      {Unit: "x.service", CgroupPath: "system.slice/x.service/container"},
		"not clean":     {Unit: "x.service", CgroupPath: "/system.slice/x.service/../y"},
		"at the root":   {Unit: "x.service", CgroupPath: "/container"},
		"systemd's own": {Unit: "x.service", CgroupPath: "system.slice:docker:x"},
		"no controller": {Unit: "x.service", CgroupPath: "/system.slice/x.service/container", Controllers: []string{""}},
		"no name":       {Unit: "x.service", CgroupPath: "/system.slice/x.service/container", Controllers: []string{"name=.."}},
		"a path":        {Unit: "x.service", CgroupPath: "/system.slice/x.service/container", Controllers: []string{"memory/x"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := Write(dir, id, p); err == nil {
				t.Errorf("Write(%+v) = nil, want an error", p)
			}
			if _, err := Read(dir, id); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("Read after a refused Write = %v, want ErrNotExist", err)
			}
		})
	}
}

func TestReadBroken(t *testing.T) {
	for name, text := range map[string]string{
		"empty":     "",
		"cut off":   `{"unit":"x.serv`,
		"no place":  `{"unit":"x.service"}`,
		"bad edits": `{"unit":"x.service","cgroup_path":"/a/x.service/c","edits":{`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(path(dir, id), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Read(dir, id)
			if err == nil || errors.Is(err, os.ErrNotExist) {
				t.Errorf("Read(%q) = %v, want an error that is not ErrNotExist", text, err)
			}
			if err != nil && !strings.Contains(err.Error(), id) {
				t.Errorf("Read(%q) = %q, want the file named", text, err)
			}
		})
	}
}

func TestWriteWithoutDirectory(t *testing.T) {
	p := Placement{Unit: "x.service", CgroupPath: "/system.slice/x.service/container"}
	if err := Write(filepath.Join(t.TempDir(), "none"), id, p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Write into a missing directory = %v, want ErrNotExist", err)
	}
}

// Members of docker may put anything into the directory: nothing but a file is read, and
// nothing is waited for.
func TestReadsFilesOnly(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo.json"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/shadow", filepath.Join(dir, "link.json")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "large.json"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "large.json"), 1<<40); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]error{"fifo": regular.ErrNotRegular, "link": regular.ErrNotRegular, "large": regular.ErrTooLarge} {
		if _, err := Read(dir, id); !errors.Is(err, want) {
			t.Errorf("Read(%s) = %v, want %v", id, err, want)
		}
	}
	if all, err := All(dir); err != nil || len(all) != 0 {
		t.Errorf("All() = %v, %v, want none", all, err)
	}
}

// A placement of any bytes is refused, or can be written again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		`{"unit": "dockhost@web.service", "cgroup_path": "/system.slice/web.service/container"}`,
		`{"unit": "x", "cgroup_path": "/a/b", "controllers": ["name=systemd", ".."], "edits": {"process": {"env": ["A=b"]}}}`,
		`{"unit": "x", "cgroup_path": "/a/../b"}`, `{"sockets": {}}`, `[]`, `{"unit": "x", "cgroup_path": "/a/b", "edits": nul`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		p, err := parse(raw)
		if err != nil {
			return
		}
		if !filepath.IsAbs(p.CgroupPath) || strings.Contains(p.CgroupPath+"/", "/../") || p.UnitCgroup() == "/" {
			t.Errorf("parse() = %+v, want it refused", p)
		}
		again, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("cannot write what was read: %v", err)
		}
		if _, err := parse(again); err != nil {
			t.Errorf("parse(%s) = %v for what was read", again, err)
		}
	})
}
