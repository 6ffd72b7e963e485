package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// mountMark is the first line of each unit file that is written for mounts, by
// which it is known again.
const mountMark = "# Written by dockhost.service for the mounts of containers.\n"

// makefsTemplate is what makes a file system. The name is not that of
// systemd-makefs@.service, whose instances are those of /etc/fstab.
const makefsTemplate = "dockhost-makefs"

// mountUnits are the units that mount what containers need: a .mount unit, a
// service that makes the file system, and a link by which a disk that is
// attached late starts the container that waited for it in vain. All else is
// systemd's: it waits for the device, checks the file system, makes the
// directory, and has the container stopped before it is unmounted.
type mountUnits struct {
	root string
}

// files returns the unit files of a mount, by name.
func (mountUnits) files(m spec.Mount) map[string]string {
	var unit, mount strings.Builder
	before := func(name string) { fmt.Fprintf(&unit, "Requires=%s\nAfter=%s\n", name, name) }
	fmt.Fprintf(&unit, "Description=%s for containers\n", m.What)
	fmt.Fprintf(&mount, "What=%s\nWhere=%s\n", m.What, m.Where)
	files := map[string]string{}
	if m.Makefs {
		name := systemd.PathInstance(makefsTemplate, m.What)
		files[name] = mountMark + makefs(m)
		before(name)
	}
	if !slices.Contains(strings.Split(m.Options, ","), "ro") {
		before(systemd.PathInstance("systemd-fsck", m.What))
	}
	if m.Type != "" {
		fmt.Fprintf(&mount, "Type=%s\n", m.Type)
	}
	if m.Options != "" {
		fmt.Fprintf(&mount, "Options=%s\n", m.Options)
	}
	files[systemd.PathUnit(m.Where, ".mount")] = mountMark + "[Unit]\n" + unit.String() + "\n[Mount]\n" + mount.String()
	return files
}

// makefs renders the service that makes a file system on a blank device.
// systemd-makefs leaves a device alone that has a file system. One that has
// partitions it would overwrite: blkid's exit status 2 says that there is
// nothing at all.
func makefs(m spec.Mount) string {
	fsck := systemd.PathInstance("systemd-fsck", m.What)
	return `[Unit]
Description=make a file system on %f where it is blank
DefaultDependencies=no
BindsTo=%i.device
After=%i.device
Before=` + strings.ReplaceAll(fsck, "%", "%%") + ` shutdown.target
Conflicts=shutdown.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecCondition=/bin/sh -c 'blkid --probe "$$0" >/dev/null; test $$? -eq 2' %f
ExecStart=/usr/lib/systemd/systemd-makefs ` + m.Type + ` %f
TimeoutSec=infinity
`
}

// write makes the units of a container's mounts, and says whether one is new.
// What is mounted otherwise at the moment is unmounted by stop first.
func (u mountUnits) write(c *spec.Container, stop func(unit string) error) (bool, error) {
	changed := false
	for _, m := range c.Mounts {
		for name, text := range u.files(m) {
			path := filepath.Join(u.dir(), name)
			old, err := os.ReadFile(path)
			switch {
			case err == nil && bytes.Equal(old, []byte(text)):
				continue
			case err == nil && !bytes.HasPrefix(old, []byte(mountMark)):
				return changed, fmt.Errorf("mount %s: %s is there and is not of dockhost (remove it, or mount elsewhere)", m.Where, path)
			case err == nil:
				if err := stop(name); err != nil {
					return changed, err
				}
			}
			if err := atomicfile.Write(path, []byte(text), 0o644); err != nil {
				return changed, fmt.Errorf("write mount unit: %w", err)
			}
			changed = true
		}
		linked, err := u.link(c.Name, m)
		if err != nil {
			return changed, fmt.Errorf("write mount unit: %w", err)
		}
		changed = changed || linked
	}
	return changed, nil
}

// link has the device start the container when it appears.
func (u mountUnits) link(container string, m spec.Mount) (bool, error) {
	path := u.wants(container, m)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // unit files are for all to read
		return false, err
	}
	err := os.Symlink("/usr/lib/systemd/system/dockhost@.service", path)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	return err == nil, err
}

// sweep removes the units that none of these containers needs, each after stop.
func (u mountUnits) sweep(containers []spec.Container, stop func(unit string) error) error {
	needed := map[string]bool{}
	for i := range containers {
		for _, m := range containers[i].Mounts {
			for name := range u.files(m) {
				needed[filepath.Join(u.dir(), name)] = true
			}
			needed[u.wants(containers[i].Name, m)] = true
		}
	}
	var errs []error
	for _, path := range u.written() {
		if needed[path] {
			continue
		}
		if err := stop(filepath.Base(path)); err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, os.Remove(path))
	}
	links, _ := filepath.Glob(filepath.Join(u.dir(), "*.device.wants", status.UnitName("*")))
	for _, path := range links {
		if !needed[path] {
			errs = append(errs, os.Remove(path))
			_ = os.Remove(filepath.Dir(path)) // unless others are in it
		}
	}
	return errors.Join(errs...)
}

// written lists the unit files that were written for mounts, mounts first.
func (u mountUnits) written() []string {
	mounts, _ := filepath.Glob(filepath.Join(u.dir(), "*.mount"))
	makers, _ := filepath.Glob(filepath.Join(u.dir(), makefsTemplate+"@*.service"))
	return slices.DeleteFunc(append(mounts, makers...), func(path string) bool {
		text, err := os.ReadFile(path)
		return err != nil || !bytes.HasPrefix(text, []byte(mountMark))
	})
}

func (u mountUnits) wants(container string, m spec.Mount) string {
	return filepath.Join(u.dir(), systemd.PathUnit(m.What, ".device.wants"), status.UnitName(container))
}

func (u mountUnits) dir() string { return filepath.Join(u.root, "/run/systemd/system") }

// stopMount unmounts, and has the containers stopped before that need it.
func (a *Agent) stopMount(ctx context.Context) func(unit string) error {
	return func(unit string) error {
		a.Log.Info("stopping a mount that is no longer as it was assigned", zap.String("unit", unit))
		ctx, cancel := context.WithTimeout(ctx, stopTimeout)
		defer cancel()
		if err := a.Units.Stop(ctx, unit); err != nil && !errors.Is(err, systemd.ErrNoUnit) {
			return err
		}
		return nil
	}
}

// sweepMounts unmounts what no container in force needs.
func (a *Agent) sweepMounts(ctx context.Context, force *accepted) error {
	return mountUnits{a.Root}.sweep(force.Assignment.Containers, a.stopMount(ctx))
}
