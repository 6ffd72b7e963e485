package applock

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// locked opens a file and locks it, as an application does.
func locked(t *testing.T, path string, how int) *os.File {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	if err := unix.Flock(int(file.Fd()), how|unix.LOCK_NB); err != nil {
		t.Fatalf("the application cannot lock its file: %v", err)
	}
	return file
}

func TestFileFree(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	check := func(what string, want bool) {
		t.Helper()
		if free, err := FileFree(path); free != want || err != nil {
			t.Errorf("%s: FileFree() = %t, %v, want %t", what, free, err, want)
		}
	}
	check("without a file", true)
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("FileFree() created the file: %v", err)
	}
	held := locked(t, path, unix.LOCK_EX)
	check("an exclusive lock", false)
	if err := held.Close(); err != nil {
		t.Fatal(err)
	}
	check("after the lock", true)
	locked(t, path, unix.LOCK_EX) // the question leaves no lock behind
	check("locked again", false)

	path += "-shared"
	locked(t, path, unix.LOCK_SH)
	check("a shared lock", false)

	path = filepath.Join(t.TempDir(), "no", "directory", "lock")
	check("without a directory", true)
}

// What a container may put in the place of the file neither blocks nor is opened.
func TestFileFreeRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	target := path("target")
	locked(t, target, unix.LOCK_SH)
	for _, err := range []error{
		os.Symlink(target, path("link")), os.Symlink("/dev/watchdog", path("device-link")), os.Mkdir(path("dir"), 0o700),
		unix.Mkfifo(path("fifo"), 0o600), unix.Mknod(path("socket"), unix.S_IFSOCK|0o600, 0),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct{ name, want string }{
		{"link", "it is a symbolic link (name the file itself)"},
		{"device-link", "it is a symbolic link (name the file itself)"},
		{"dir", "it is a directory (name a file in it)"},
		{"fifo", "it is not a regular file"},
		{"socket", "it is not a regular file"},
		{"target/below", "not a directory"},
	}
	for _, test := range tests {
		free, err := FileFree(path(test.name))
		if free || err == nil || !strings.HasSuffix(err.Error(), ": "+test.want) {
			t.Errorf("FileFree(%q) = %t, %v, want the error %q", test.name, free, err, test.want)
		}
	}
}

func TestFileFreeLeavesNothingOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	locked(t, path, unix.LOCK_EX)
	count := func() int {
		open, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		return len(open)
	}
	before := count()
	for range 100 {
		_, _ = FileFree(path)
		_, _ = FileFree(filepath.Dir(path))
	}
	if after := count(); after > before+10 {
		t.Errorf("%d descriptors are open, %d before", after, before)
	}
}
