package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// runDirs returns the directories of the run directory. systemd-tmpfiles makes the
// same at boot (packaging/tmpfiles.d).
func runDirs() []runDirectory {
	const everyone, private, group = 0o755, 0o700, 0o770
	return []runDirectory{
		{"", everyone, ""},
		{"containers", private, ""},
		{"state", private, ""},
		{"logins", private, ""},
		{"files", private, ""},
		{"runtime", group, "docker"},
		{"images", group | fs.ModeSetgid, "docker"},
	}
}

type runDirectory struct {
	name  string
	mode  fs.FileMode
	group string // "" is root's
}

// Dirs returns the run directory and those in it.
func (d Dir) Dirs() []string {
	var paths []string
	for _, dir := range runDirs() {
		paths = append(paths, filepath.Join(string(d), dir.name))
	}
	return paths
}

// MakeDirs makes the directories that are missing, and gives all of them the modes and
// groups that they have after a boot.
func (d Dir) MakeDirs() error {
	var errs []error
	for _, dir := range runDirs() {
		if err := dir.make(filepath.Join(string(d), dir.name)); err != nil {
			errs = append(errs, fmt.Errorf("make the run directory: %w", err))
		}
	}
	return errors.Join(errs...)
}

func (dir runDirectory) make(path string) error {
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	gid, err := dir.gid()
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a directory (remove it)", path)
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	if int(owner.Gid) != gid && os.Geteuid() == 0 {
		if err := os.Chown(path, 0, gid); err != nil {
			return err
		}
	} else if info.Mode() == dir.mode|fs.ModeDir {
		return nil
	}
	return os.Chmod(path, dir.mode) // chown clears setgid
}

func (dir runDirectory) gid() (int, error) {
	if dir.group == "" {
		return 0, nil
	}
	group, err := user.LookupGroup(dir.group)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(group.Gid)
}
