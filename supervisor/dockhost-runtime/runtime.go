package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// dockersOwn is where Docker's cgroupfs driver puts a container. One that lies
// in its unit in some v1 trees alone is made there, also with the systemd
// driver: a scope is gone as soon as systemd sees no process in it.
const dockersOwn = "/docker/"

// program is dockhost-runtime with what it takes from the host.
type program struct {
	// placements is the directory of the placements.
	placements string
	// cgroups is where the host's cgroup trees are mounted.
	cgroups cgroups
	// self is a symbolic link to the program's own file.
	self string
	// exec replaces the process, as [syscall.Exec] does.
	exec func(path string, argv, env []string) error
}

// run becomes the real runtime. It returns only where that is not possible,
// with the exit status, after it has said why.
func (p program) run(args, env []string, stderr io.Writer) int {
	c := parseCall(args)
	err := p.become(c, env)
	if err == nil {
		return 0
	}
	report(c, err, time.Now(), stderr)
	return 1
}

// become returns nil only where exec does, that is in a test.
func (p program) become(c call, env []string) error {
	runtime, args, err := p.prepare(c)
	if err != nil {
		return err
	}
	file, err := p.find(runtime, env)
	if err != nil {
		return err
	}
	// crun looks at the name that it was called by: the path is handed on as
	// it was found, and not with its symbolic links resolved.
	if err := p.exec(file, append([]string{file}, args...), env); err != nil {
		return fmt.Errorf("exec %s: %w", file, err)
	}
	return nil
}

// prepare returns the real runtime's name and arguments, and puts a container
// that is about to be made into its place.
func (p program) prepare(c call) (runtime string, args []string, err error) {
	if c.id == "" {
		return defaultRuntime, c.args, nil
	}
	place, err := placement.Read(p.placements, c.id)
	placed := err == nil
	if !placed && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, err
	}
	if c.births() {
		if err := p.birth(c, place, placed); err != nil {
			return "", nil, err
		}
	}
	if !placed {
		return defaultRuntime, c.args, nil
	}
	// The place is a path, and not the SLICE:PREFIX:NAME that a runtime asks
	// of its caller when systemd is to make the cgroup.
	return place.Runtime, c.withoutSystemdCgroup(), nil
}

// birth rewrites the bundle's configuration for a container with a placement,
// and refuses one that belongs to a unit which does not run.
func (p program) birth(c call, place placement.Placement, placed bool) error {
	file := filepath.Join(c.bundle, "config.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read OCI configuration: %w", err)
	}
	if !placed {
		path, err := cgroupsPath(raw)
		if err != nil {
			return fmt.Errorf("read %s: %w", file, err)
		}
		if unit, managed := placement.UnitOf(path); managed {
			return notRunning(unit)
		}
		return nil
	}
	// systemd removes the unit's cgroup when the unit has ended, and the real
	// runtime would make it again, outside of any unit.
	if !p.cgroups.exist(place.UnitCgroup()) {
		return notRunning(place.Unit)
	}
	if err := p.place(c.id, file, raw, place); err != nil {
		return fmt.Errorf("place container in %s: %w", place.Unit, err)
	}
	return nil
}

// place makes room for the container in its unit, and puts its place into the
// configuration.
func (p program) place(id, file string, config []byte, place placement.Placement) error {
	if err := p.cgroups.vacate(place.UnitCgroup()); err != nil {
		return err
	}
	path := place.CgroupPath
	if len(place.Controllers) > 0 && !p.cgroups.unified() {
		path = dockersOwn + id
	}
	hooks, err := p.hooks(place)
	if err != nil {
		return err
	}
	config, err = rewrite(config, path, place.Edits, hooks)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return replaceFile(file, config)
}

func notRunning(unit string) error {
	return fmt.Errorf("container belongs to %s, which is not running (start it with: systemctl start %s)", unit, unit)
}

// replaceFile puts content in the place of file, atomically and with the same
// mode. It does not sync: a bundle lies on a tmpfs and dies with the host.
func replaceFile(file string, content []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("replace OCI configuration: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".config-*.json")
	if err != nil {
		return fmt.Errorf("replace OCI configuration: %w", err)
	}
	_, err = tmp.Write(content)
	if chmodErr := tmp.Chmod(info.Mode().Perm()); err == nil {
		err = chmodErr
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("replace OCI configuration: %w", err)
	}
	return nil
}
