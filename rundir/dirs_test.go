package rundir

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// systemd-tmpfiles and MakeDirs make the same directories.
func TestDirsAreThoseOfTmpfiles(t *testing.T) {
	raw, err := os.ReadFile("../packaging/tmpfiles.d/dockhost.conf")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []string
	for line := range strings.Lines(string(raw)) {
		if fields := strings.Fields(line); len(fields) > 0 && fields[0] == "d" {
			want = append(want, strings.Join(fields[1:5], " "))
		}
	}
	for _, dir := range runDirs() {
		mode, group := dir.mode.Perm(), dir.group
		if dir.mode&fs.ModeSetgid != 0 {
			mode |= 0o2000
		}
		if group == "" {
			group = "root"
		}
		got = append(got, fmt.Sprintf("%s %04o root %s", filepath.Join(Path, dir.name), mode, group))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("directories (-tmpfiles.d +Go):\n%s", diff)
	}
}

// Directories that exist get their modes, too.
func TestMakeDirs(t *testing.T) {
	if _, err := user.LookupGroup("docker"); err != nil || os.Geteuid() != 0 {
		t.Skip("only root may give directories to the group docker, where it exists")
	}
	dir := Dir(filepath.Join(t.TempDir(), "dockhost"))
	if err := os.MkdirAll(filepath.Join(string(dir), "state"), 0o711); err != nil {
		t.Fatal(err)
	}
	if err := dir.MakeDirs(); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{"state": 0o700, "containers": 0o700, "images": 0o770} {
		info, err := os.Stat(filepath.Join(string(dir), path))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", path, info, err, want)
		}
	}
}
