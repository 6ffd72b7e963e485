package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// dockerCgroup is the cgroup in which Docker's cgroupfs driver creates containers.
// A container that is placed in its unit in only some v1 hierarchies is created
// there, even with the systemd driver: systemd removes a scope as soon as it sees
// no process in it.
const dockerCgroup = "/docker/"

// noFeatures answers "features" while the real runtime is missing: no optional feature.
// dockerd 29 asks each runtime when it starts, and waits for the answer without a limit.
const noFeatures = `{"ociVersionMin":"1.0.0","ociVersionMax":"1.0.2"}` + "\n"

// program is dockhost-runtime with the paths that it uses on the host.
type program struct {
	// placements is the directory of the placements.
	placements string
	// cgroups is where the host's cgroup hierarchies are mounted.
	cgroups cgroups
	// self is a symbolic link to the program's own executable.
	self string
	// exec replaces the process, as [syscall.Exec] does. The new program gets files
	// as its descriptors from 3 on.
	exec func(path string, argv, env []string, files []int) error
	// stdout is where a command writes its answer.
	stdout io.Writer
}

// run executes the real runtime in its place. It returns an exit status only if
// that is not possible, after it has reported why.
func (p program) run(args, env []string, stderr io.Writer) int {
	c := parseCall(args)
	err := p.become(c, env)
	if err == nil {
		return 0
	}
	report(c, err, time.Now(), stderr)
	return 1
}

// become executes the real runtime. It returns nil only in a test, where exec
// returns.
func (p program) become(c call, env []string) error {
	real, err := p.prepare(c)
	if err != nil {
		return err
	}
	file, err := p.find(real.runtime, env)
	if err != nil && c.command == "features" {
		_, err = io.WriteString(p.stdout, noFeatures)
		return err
	}
	if err != nil {
		return err
	}
	if err := mountBinds(bindsDir, real.sources); err != nil {
		return err
	}
	// crun depends on the name by which it is called: the path keeps its symbolic
	// links.
	if err := p.exec(file, append([]string{file}, real.args...), env, real.files); err != nil {
		return fmt.Errorf("exec %s: %w", file, err)
	}
	return nil
}

// realCall is the call of the real runtime.
type realCall struct {
	// runtime is its name, "" for the default.
	runtime string
	args    []string
	// files are the descriptors for the container's first process.
	files []int
	// sources are to be mounted for it.
	sources []source
}

// prepare returns the call of the real runtime. If the call creates a container,
// prepare places it first.
func (p program) prepare(c call) (realCall, error) {
	unchanged := realCall{runtime: defaultRuntime, args: c.args}
	if c.id == "" {
		return unchanged, nil
	}
	place, err := placement.Read(p.placements, c.id)
	placed := err == nil
	if !placed && !errors.Is(err, fs.ErrNotExist) {
		return realCall{}, err
	}
	var sources []source
	if c.creates() {
		if sources, err = p.prepareBundle(c, place, placed); err != nil {
			return realCall{}, err
		}
	}
	if !placed {
		return unchanged, nil
	}
	if c.command == "create" || c.command == "exec" { // "run" stays, and would keep its container's cgroup busy
		if err := p.cgroups.adopt(place); err != nil {
			return realCall{}, fmt.Errorf("enter the cgroup of %s: %w", place.Unit, err)
		}
	}
	// The placement is a path. With --systemd-cgroup a runtime would expect
	// SLICE:PREFIX:NAME.
	real := realCall{runtime: place.Runtime, args: c.withoutSystemdCgroup(), sources: sources}
	if place.Sockets != nil && c.creates() {
		if real.files, err = receive(*place.Sockets); err != nil {
			return realCall{}, fmt.Errorf("get the sockets of %s from its supervisor (try: systemctl restart %s): %w", place.Unit, place.Unit, err)
		}
		real.args = preserving(real.args, c.command, len(real.files))
	}
	real.args = append(withoutSystemdCgroup(place.RuntimeArgs), real.args...)
	return real, nil
}

// prepareBundle rewrites the bundle's configuration for a container with a
// placement, and returns the sources to mount for it. It refuses a container whose unit
// does not run.
func (p program) prepareBundle(c call, place placement.Placement, placed bool) ([]source, error) {
	file := filepath.Join(c.bundle, "config.json")
	raw, err := regular.Follow(file, regular.State)
	if err != nil {
		return nil, fmt.Errorf("read OCI configuration: %w", err)
	}
	if !placed {
		path, err := cgroupsPath(raw)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
		if unit, managed := placement.UnitOf(path); managed {
			return nil, notRunning(unit)
		}
		return nil, nil
	}
	// systemd removes the unit's cgroup when the unit ends. The real runtime would
	// create it again, outside any unit.
	if !p.cgroups.exist(place.UnitCgroup()) {
		return nil, notRunning(place.Unit)
	}
	sources, err := p.place(c.id, file, raw, place)
	if err != nil {
		return nil, fmt.Errorf("place container in %s: %w", place.Unit, err)
	}
	return sources, nil
}

// place makes room for the container in its unit, and writes its cgroup and its sources
// into the configuration.
func (p program) place(id, file string, config []byte, place placement.Placement) ([]source, error) {
	if err := p.cgroups.vacate(place.UnitCgroup()); err != nil {
		return nil, err
	}
	config, sources, err := openBinds("/", config, place.Binds)
	if err != nil {
		return nil, err
	}
	path := place.CgroupPath
	if len(place.Controllers) > 0 && !p.cgroups.unified() {
		path = dockerCgroup + id
	}
	hooks, err := p.hooks(place)
	if err != nil {
		return nil, err
	}
	sockets, err := socketVariables(config, place.Sockets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	config, err = rewrite(config, path, place.Edits, hooks, sockets)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return sources, replaceFile(file, config)
}

func notRunning(unit string) error {
	return fmt.Errorf("container belongs to %s, which is not running (start it with: systemctl start %s)", unit, unit)
}

// replaceFile replaces the content of file atomically and keeps its mode. It does
// not sync: a bundle is on a tmpfs.
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
