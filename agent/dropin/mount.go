package dropin

import (
	"fmt"
	"slices"
	"strings"

	"github.com/coreos/go-systemd/v22/unit"

	"github.com/dockhost/dockhost/spec"
)

// MountMark is the first line of each unit file that dockhost writes for mounts. The
// agent recognizes its files by it.
const MountMark = "# Written by dockhost.service for the mounts of containers.\n"

// MakefsTemplate is the template unit that makes a file system. It is not
// systemd-makefs@.service, because that one's instances belong to /etc/fstab.
const MakefsTemplate = "dockhost-makefs"

// Mount returns the unit files of a mount, by name: the .mount unit, and with makefs
// the service that makes the file system. The error says why the mount cannot be one.
func Mount(m spec.Mount) (map[string]string, error) {
	if err := checkMount(m); err != nil {
		return nil, err
	}
	var top, mount strings.Builder
	before := func(name string) { fmt.Fprintf(&top, "Requires=%s\nAfter=%s\n", name, name) }
	fmt.Fprintf(&top, "Description=%s for containers\n", m.What)
	fmt.Fprintf(&mount, "What=%s\nWhere=%s\n", m.What, m.Where)
	files := map[string]string{}
	if m.Makefs {
		name := instance(MakefsTemplate, m.What)
		files[name] = MountMark + makefs(m)
		before(name)
	}
	if !slices.Contains(strings.Split(m.Options, ","), "ro") {
		before(instance("systemd-fsck", m.What))
	}
	if m.Type != "" {
		fmt.Fprintf(&mount, "Type=%s\n", m.Type)
	}
	if m.Options != "" {
		fmt.Fprintf(&mount, "Options=%s\n", m.Options)
	}
	files[unit.UnitNamePathEscape(m.Where)+".mount"] = MountMark + "[Unit]\n" + top.String() + "\n[Mount]\n" + mount.String()
	return files, nil
}

// makefs renders the service that makes a file system on a blank device.
// systemd-makefs does nothing if the device has a file system, but it would overwrite
// partitions. So blkid is asked first: its exit status 2 means that the device is
// blank.
func makefs(m spec.Mount) string {
	fsck := instance("systemd-fsck", m.What)
	return `[Unit]
Description=make a file system on %f where it is blank
DefaultDependencies=no
IgnoreOnIsolate=yes
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

// Device returns the device unit of a mount.
func Device(m spec.Mount) string { return unit.UnitNamePathEscape(m.What) + ".device" }

// instance returns the name of a template's instance for a path, such as
// "systemd-fsck@dev-sdb.service".
func instance(template, path string) string {
	return template + "@" + unit.UnitNamePathEscape(path) + ".service"
}
