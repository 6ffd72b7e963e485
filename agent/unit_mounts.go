package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd/units"
)

// mountUnits are the units for the mounts of containers: a .mount unit, a service
// that makes the file system, and a link by which a disk that is attached late
// starts the container whose start timed out without it. systemd does the rest: it
// waits for the device, checks the file system, makes the directory, and stops the
// container before it unmounts.
type mountUnits struct {
	root string
}

// write writes the units for a container's mounts, and says whether one has
// changed. It calls stop before it changes a unit, which may be mounted. starts says that
// the container is started when the device appears.
func (u mountUnits) write(c *spec.Container, starts bool, stop func(unit string) error) (bool, error) {
	changed := false
	for _, m := range c.Mounts {
		files, err := dropin.Mount(m)
		if err != nil {
			return changed, err
		}
		for name, text := range files {
			path := filepath.Join(u.dir(), name)
			old, err := regular.Follow(path, regular.Config)
			switch {
			case err == nil && bytes.Equal(old, []byte(text)):
				continue
			case err == nil && len(old) == 0: // damaged
			case err == nil && !bytes.HasPrefix(old, []byte(dropin.MountMark)):
				return changed, fmt.Errorf("mount %s: %s exists and was not written by dockhost (remove it, or mount elsewhere)", m.Where, path)
			case err == nil:
				if err := stop(name); err != nil {
					return changed, err
				}
			}
			if err := writeUnitFile(path, []byte(text)); err != nil {
				return changed, fmt.Errorf("write mount unit: %w", err)
			}
			changed = true
		}
		linked, err := u.link(c.Name, m, starts)
		if err != nil {
			return changed, fmt.Errorf("write mount unit: %w", err)
		}
		changed = changed || linked
	}
	return changed, nil
}

// link has systemd start the container when the device appears, or not.
func (u mountUnits) link(container string, m spec.Mount, starts bool) (bool, error) {
	path := u.wants(container, m)
	if !starts {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		return err == nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // everyone may read unit files
		return false, err
	}
	err := os.Symlink(units.ContainerPath, path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// needs returns the files that these containers need.
func (u mountUnits) needs(containers []spec.Container) map[string]bool {
	needed := map[string]bool{}
	for i := range containers {
		for _, m := range containers[i].Mounts {
			files, _ := dropin.Mount(m) // a mount without units cannot be written either
			for name := range files {
				needed[filepath.Join(u.dir(), name)] = true
			}
			needed[u.wants(containers[i].Name, m)] = true
		}
	}
	return needed
}

// unneeded returns the unit files that none of these containers needs, mounts first. It
// removes the links by which disks start other containers.
func (u mountUnits) unneeded(containers []spec.Container) ([]string, error) {
	needed := u.needs(containers)
	unneeded := slices.DeleteFunc(u.written(), func(path string) bool { return needed[path] })
	var errs []error
	links, _ := filepath.Glob(filepath.Join(u.dir(), "*.device.wants", spec.UnitName("*")))
	for _, path := range links {
		if !needed[path] {
			errs = append(errs, os.Remove(path))
			_ = os.Remove(filepath.Dir(path)) // fails if it has other links
		}
	}
	return unneeded, errors.Join(errs...)
}

// written lists the unit files that dockhost wrote for mounts, mounts first.
func (u mountUnits) written() []string {
	mounts, _ := filepath.Glob(filepath.Join(u.dir(), "*.mount"))
	makers, _ := filepath.Glob(filepath.Join(u.dir(), dropin.MakefsTemplate+"@*.service"))
	return slices.DeleteFunc(append(mounts, makers...), func(path string) bool {
		text, err := regular.Follow(path, regular.Config)
		return err != nil || !bytes.HasPrefix(text, []byte(dropin.MountMark))
	})
}

func (u mountUnits) wants(container string, m spec.Mount) string {
	return filepath.Join(u.dir(), dropin.Device(m)+".wants", spec.UnitName(container))
}

func (u mountUnits) dir() string { return filepath.Join(u.root, "/run/systemd/system") }
