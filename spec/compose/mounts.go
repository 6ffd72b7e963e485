package compose

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

var (
	// device is the path of a block device. systemd makes the name of a unit of
	// it, and looks for nothing but letters in it.
	device = regexp.MustCompile(`^/dev(/[A-Za-z0-9_.:+@=-]+)+$`)
	// fileSystem is the type of a file system.
	fileSystem = regexp.MustCompile(`^[a-z0-9]+$`)
	// mountOptions are separated by commas; a space or a quote would be several
	// words to systemd.
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
	var made []spec.Mount
	for _, item := range at.Items() {
		if !item.IsMapping() {
			d.Errorf(item, "not a mount: write {what: /dev/..., where: /...}")
			made = append(made, spec.Mount{}) // so that the others keep their numbers
			continue
		}
		made = append(made, d.mount(item))
	}
	return made
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
			d.Errorf(at, "no %s: a mount has what: with a device and where: with a path", name)
		}
	}
	if m.Makefs && !slices.Contains([]string{"ext4", "xfs", "btrfs", "vfat"}, m.Type) {
		d.Errorf(at.Field("makefs"), "needs type: ext4, xfs, btrfs or vfat: that is what is made")
	}
	return m
}

// checkMountPoint notes a path where a mount would take the host apart.
func (d *declaration) checkMountPoint(at spot, where string) {
	top, _, below := strings.Cut(strings.TrimPrefix(where, "/"), "/")
	switch top {
	case "dev", "proc", "run", "sys":
		d.Errorf(at, "cannot mount below /%s: it is the system's own", top)
	case "bin", "boot", "etc", "home", "lib", "lib64", "root", "sbin", "tmp", "usr", "var":
		if !below {
			d.Errorf(at, "cannot mount over /%s: write a directory of its own, such as /mnt/NAME", top)
		}
	}
}

// path returns a path without "." and ".." in it.
func (d *declaration) path(at spot, pattern *regexp.Regexp, choice string) string {
	text := d.word(at, pattern, choice)
	if text != "" && path.Clean(text) != text {
		d.Errorf(at, "cannot use a path with . or .. in it: write it out")
	}
	return text
}

func (d *declaration) word(at spot, pattern *regexp.Regexp, choice string) string {
	text := at.Text()
	if !at.IsScalar() || !pattern.MatchString(text) {
		d.Errorf(at, "cannot use this: %s", choice)
		return ""
	}
	// In the name of a unit these become four bytes ("\x2d"), of 255 at most.
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

// maxWord leaves room in the 255 bytes of a unit name for what is around it.
const maxWord = 220

func (d *declaration) boolean(at spot) bool {
	var value bool
	if !at.IsScalar() || at.Node.Tag != "!!bool" || at.Node.Decode(&value) != nil {
		d.Errorf(at, "neither true nor false")
	}
	return value
}

// checkMounts notes paths at which different things would be mounted. Several
// containers may want the same.
func (r *report) checkMounts(declared []*declaration, containers []spec.Container) {
	seen := map[string]spec.Mount{}
	for i, d := range declared {
		for j, at := range d.dockhost.Field("mounts").Items() {
			m := containers[i].Mounts[j]
			other, taken := seen[m.Where]
			if m.Where != "" && taken && other != m {
				r.Errorf(at, "something else is mounted at this path: use another one, or write the same in all containers")
			}
			seen[m.Where] = m
		}
	}
}
