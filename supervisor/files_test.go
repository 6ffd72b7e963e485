package supervisor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

func TestWriteFiles(t *testing.T) {
	dir, host := rundir.Dir(t.TempDir()), t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "token"), []byte("from a credential"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &spec.Container{Name: "web", Files: []spec.File{
		{Target: "/run/secrets/a", Content: []byte("s3cret"), Mode: 0o400},
		{Target: "/run/secrets/b", Path: filepath.Join(host, "token")},
		{Target: "/b", Credential: "token", Config: true},
	}}
	for range 2 { // a killed supervisor leaves its files
		path, err := writeFiles(dir, c, host)
		if err != nil || path != dir.FilesDir("web") {
			t.Fatalf("writeFiles() = %q, %v", path, err)
		}
	}
	for name, want := range map[string]struct {
		text string
		mode fs.FileMode
	}{"0": {"s3cret", 0o400}, "1": {"from a credential", 0o444}, "2": {"from a credential", 0o444}} {
		path := filepath.Join(dir.FilesDir("web"), name)
		raw, err := os.ReadFile(path)
		info, statErr := os.Stat(path)
		if err != nil || statErr != nil || string(raw) != want.text || info.Mode().Perm() != want.mode {
			t.Errorf("file %s = %q, %v with %v, want %+v", name, raw, err, info, want)
		}
	}
	if info, err := os.Stat(dir.FilesDir("web")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory = %v, %v, want it closed to others", info, err)
	}
}

// A secret that is missing or too large fails the start, and leaves nothing.
func TestWriteFilesErrors(t *testing.T) {
	dir, host := rundir.Dir(t.TempDir()), t.TempDir()
	if err := os.WriteFile(filepath.Join(host, "large"), make([]byte, spec.MaxFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, file := range map[string]spec.File{
		"no such file":                      {Target: "/run/secrets/x", Path: filepath.Join(host, "absent")},
		"not a regular file":                {Target: "/run/secrets/x", Path: host},
		"larger than 500 KiB":               {Target: "/run/secrets/x", Path: filepath.Join(host, "large")},
		`the host has no credential "name"`: {Target: "/run/secrets/x", Credential: "name"},
	} {
		c := &spec.Container{Name: "web", Files: []spec.File{{Target: "/y", Content: []byte("s3cret")}, file}}
		if _, err := writeFiles(dir, c, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("writeFiles() error = %v, want %q", err, want)
		}
		if _, err := os.Stat(dir.FilesDir("web")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("files are left: %v", err)
		}
	}
}
