package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// defaultRuntime is the runtime of a container whose placement names no runtime,
// or that has no placement. It is also Docker's default.
const defaultRuntime = "runc"

// fallbackPath is searched after PATH. PATH is containerd's, and another service
// manager or a hand-written unit may have set it short.
const fallbackPath = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin:/sbin:/bin"

// find returns the file of a runtime. name is an absolute path, a name in PATH, or
// "" for the default.
func (p program) find(name string, env []string) (string, error) {
	if name == "" {
		name = defaultRuntime
	}
	if base := filepath.Base(name); base == "dockhost" || base == "dockhost-runtime" {
		return "", callsItself(name)
	}
	file, err := lookUp(name, env)
	if err != nil {
		return "", err
	}
	if p.isSelf(file) {
		return "", callsItself(file)
	}
	return file, nil
}

// isSelf says whether file is the running program, which would execute itself
// forever.
func (p program) isSelf(file string) bool {
	self, err := os.Stat(p.self)
	if err != nil {
		return false
	}
	other, err := os.Stat(file) // #nosec G703 -- containerd's PATH, or root's placement
	return err == nil && os.SameFile(self, other)
}

func callsItself(name string) error {
	return fmt.Errorf("OCI runtime %q is dockhost itself: name the one that does the work, such as runc", name)
}

// lookUp does what [os/exec.LookPath] does, for a given environment and without
// the packages that os/exec imports.
func lookUp(name string, env []string) (string, error) {
	if filepath.IsAbs(name) {
		if err := executable(name); err != nil {
			return "", fmt.Errorf("cannot run OCI runtime: %w", err)
		}
		return name, nil
	}
	if strings.Contains(name, "/") {
		return "", fmt.Errorf("cannot run OCI runtime %q: neither a name nor an absolute path", name)
	}
	path := pathOf(env)
	for _, dir := range filepath.SplitList(path + ":" + fallbackPath) {
		file := filepath.Join(dir, name)
		if filepath.IsAbs(dir) && executable(file) == nil {
			return file, nil
		}
	}
	return "", fmt.Errorf("cannot find OCI runtime %q in PATH (%s)", name, path)
}

// pathOf returns the last PATH in env, which is the one that [os.Getenv] returns.
func pathOf(env []string) string {
	path := ""
	for _, entry := range env {
		if value, found := strings.CutPrefix(entry, "PATH="); found {
			path = value
		}
	}
	return path
}

func executable(file string) error {
	info, err := os.Stat(file) // #nosec G703 -- containerd's PATH, or root's placement
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0 {
		return &fs.PathError{Op: "exec", Path: file, Err: errors.New("not an executable file")}
	}
	return nil
}
