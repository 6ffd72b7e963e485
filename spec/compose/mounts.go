package compose

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

var (
	// device is the path of a block device. It becomes the name of a systemd unit,
	// so specifiers and escapes must not be in it.
	device = regexp.MustCompile(`^/dev(/[A-Za-z0-9_.:+@=-]+)+$`)
	// fileSystem is the type of a file system.
	fileSystem = regexp.MustCompile(`^[a-z0-9]+$`)
	// mountOptions are separated by commas. They have no spaces and quotes, which
	// systemd would read as several words.
	mountOptions = regexp.MustCompile(`^[A-Za-z0-9_.:/+=@-]+(,[A-Za-z0-9_.:/+=@-]+)*$`)
	// mountPoint is a path that needs no quotes in a unit file.
	mountPoint = regexp.MustCompile(`^(/[A-Za-z0-9_.:+@=-]+)+$`)
)

// mounts reads the file systems that the host mounts for the container.
func (d *declaration) mounts(at spot) []spec.Mount {
	if at.IsNull() {
		return nil
	}
	if !at.IsList() {
		d.Errorf(at, "not a list: write - {what: /dev/..., where: /...} below it, indented")
		return nil
	}
	var mounts []spec.Mount
	for _, item := range at.Items() {
		if !item.IsMapping() {
			d.Errorf(item, "not a mount: write {what: /dev/..., where: /...}")
			mounts = append(mounts, spec.Mount{}) // the others keep their indexes
			continue
		}
		mounts = append(mounts, d.mount(item))
	}
	return mounts
}

func (d *declaration) mount(at spot) spec.Mount {
	var m spec.Mount
	for name, value := range at.Fields() {
		switch name {
		case "what":
			m.What = d.path(value, device, "write the path of a block device, such as /dev/disk/by-id/...")
		case "where":
			m.Where = d.path(value, mountPoint, "write an absolute path of letters, digits and _.:+@=-")
			d.checkMountPoint(value, m.Where)
		case "type":
			m.Type = d.word(value, fileSystem, "write the type of a file system, such as ext4")
		case "options":
			m.Options = d.word(value, mountOptions, "write mount options with commas between them, such as noatime,discard")
		case "makefs":
			m.Makefs = d.boolean(value)
		default:
			d.UnknownKey(value, name, []string{"makefs", "options", "type", "what", "where"}, "")
		}
	}
	for _, name := range []string{"what", "where"} {
		if !at.Field(name).Present() {
			d.Errorf(at, "no %s: a mount needs what: with a device and where: with a path", name)
		}
	}
	if m.Makefs && !slices.Contains([]string{"ext4", "xfs", "btrfs", "vfat"}, m.Type) {
		d.Errorf(at.Field("makefs"), "needs type: write ext4, xfs, btrfs or vfat")
	}
	return m
}

// checkMountPoint reports a path where a mount would break the host.
func (d *declaration) checkMountPoint(at spot, where string) {
	top, _, below := strings.Cut(strings.TrimPrefix(where, "/"), "/")
	switch top {
	case "dev", "proc", "run", "sys":
		d.Errorf(at, "cannot mount below /%s: the system needs it", top)
	case "bin", "boot", "etc", "home", "lib", "lib64", "root", "sbin", "tmp", "usr", "var":
		if !below {
			d.Errorf(at, "cannot mount over /%s: write another directory, such as /mnt/NAME", top)
		}
	}
}

// path returns a path without "." and ".." in it.
func (d *declaration) path(at spot, pattern *regexp.Regexp, choice string) string {
	text := d.word(at, pattern, choice)
	if text != "" && path.Clean(text) != text {
		d.Errorf(at, "cannot use a path with . or .. in it")
	}
	return text
}

func (d *declaration) word(at spot, pattern *regexp.Regexp, choice string) string {
	text := at.Text()
	if !at.IsScalar() || !pattern.MatchString(text) {
		d.Errorf(at, "cannot use this: %s", choice)
		return ""
	}
	// In the name of a unit, each of these becomes four bytes ("\x2d").
	const escaped = "-+@="
	size := len(text)
	for _, c := range escaped {
		size += 3 * strings.Count(text, string(c))
	}
	if size > maxWord {
		d.Errorf(at, "too long for the name of a unit")
	}
	return text
}

// maxWord is the longest path or word. A unit name has at most 255 bytes, and
// some are for its prefix and suffix.
const maxWord = 220

func (d *declaration) boolean(at spot) bool {
	var value bool
	if !at.IsScalar() || at.Node.Tag != "!!bool" || at.Node.Decode(&value) != nil {
		d.Errorf(at, "neither true nor false")
	}
	return value
}

// checkMounts reports paths at which containers want different mounts. Several
// containers may share one mount.
func (r *report) checkMounts(declared []*declaration, containers []spec.Container) {
	seen := map[string]spec.Mount{}
	for i, d := range declared {
		for j, at := range d.dockhost.Field("mounts").Items() {
			m := containers[i].Mounts[j]
			other, taken := seen[m.Where]
			if m.Where != "" && taken && other != m {
				r.Errorf(at, "another container mounts something else at this path: use another path, or write the same mount in all containers")
			}
			seen[m.Where] = m
		}
	}
}
