package gce

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// diskPath is the directory where konlet mounted persistent disks.
const diskPath = "/mnt/disks/gce-containers-mounts/gce-persistent-disks"

// volume is one of the declaration's volumes.
type volume struct {
	at spot
	// kind is emptyDir, hostPath or gcePersistentDisk, or "" after a problem.
	kind string
	// source is the path on the host.
	source string
	// disk is the device of a persistent disk.
	disk string
	// mounted is the number of mounts, and written is true if one is not
	// read-only.
	mounted int
	written bool
}

func (c *converter) volumes(at spot) map[string]*volume {
	volumes := map[string]*volume{}
	if !at.Present() {
		return volumes
	}
	for _, item := range c.items(at, "name: and hostPath:, emptyDir: or gcePersistentDisk:") {
		v := &volume{at: item}
		var name spot
		kinds := []string{"emptyDir", "gcePersistentDisk", "hostPath"}
		c.strictFields(item, append(kinds, "name"), nil, func(key string, value spot) {
			switch {
			case key == "name":
				name = value
			case v.kind != "":
				c.Errorf(value, "cannot be combined with %s: keep one of them", v.kind)
			default:
				v.kind = key
				c.volume(v, value)
			}
		})
		switch {
		case !item.IsMapping():
		case name.Text() == "":
			c.Errorf(item, "no name: write name: with the name that volumeMounts uses")
		case volumes[name.Text()] != nil:
			c.Errorf(name, "another volume has this name: choose a different one")
		default:
			if v.kind == "" {
				c.Errorf(item, "no volume: write hostPath:, emptyDir: or gcePersistentDisk: below it")
			}
			volumes[name.Text()] = v
		}
	}
	return volumes
}

func (c *converter) volume(v *volume, at spot) {
	switch v.kind {
	case "emptyDir":
		c.emptyDir(at)
	case "hostPath":
		var source spot
		c.strictFields(at, []string{"path"}, []string{"type"}, func(_ string, value spot) { source = value })
		if v.source = source.Text(); !path.IsAbs(v.source) {
			c.Errorf(at, "no path: write path: with an absolute path of the host")
		}
	case "gcePersistentDisk":
		c.disk(v, at)
	}
}

func (c *converter) emptyDir(at spot) {
	medium := ""
	c.strictFields(at, []string{"medium"}, []string{"sizeLimit"}, func(_ string, value spot) { medium = value.Text() })
	if medium != "Memory" {
		c.Errorf(at, "unknown medium: write medium: Memory (for a directory on disk use hostPath)")
	}
}

// maxDiskName and diskName describe the device names that Google accepts. The
// expression has no bound, because that would add a millisecond to each start of
// the program.
const maxDiskName = 63

var diskName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

func (c *converter) disk(v *volume, at spot) {
	var name, partition spot
	c.strictFields(at, []string{"fsType", "partition", "pdName"}, []string{"readOnly"}, func(key string, value spot) {
		switch key {
		case "pdName":
			name = value
		case "partition":
			partition = value
		case "fsType":
			if value.Text() != "ext4" && value.Text() != "" {
				c.Errorf(value, "cannot use this file system: use ext4, like konlet (for others, convert the declaration and change type:)")
			}
		}
	})
	if len(name.Text()) > maxDiskName || !diskName.MatchString(name.Text()) {
		c.Errorf(at, "no disk: write pdName: with the disk's device name in this instance")
		return
	}
	v.disk = "/dev/disk/by-id/google-" + name.Text()
	v.source = path.Join(diskPath, name.Text())
	if !partition.Present() {
		return
	}
	number, err := strconv.ParseUint(partition.Text(), 10, 7)
	if err != nil {
		c.Errorf(partition, "not a partition: write its number")
	}
	if number > 0 {
		v.disk += fmt.Sprintf("-part%d", number)
	}
}

// volumeMounts reads where the volumes are mounted in the container.
func (c *converter) volumeMounts(at spot, volumes map[string]*volume, s *service) {
	for _, item := range c.items(at, "name: and mountPath:") {
		var name, target, readOnly spot
		c.strictFields(item, []string{"mountPath", "name", "readOnly"}, []string{"subPath"}, func(key string, value spot) {
			switch key {
			case "name":
				name = value
			case "mountPath":
				target = value
			case "readOnly":
				readOnly = value
			}
		})
		if !item.IsMapping() {
			continue
		}
		only := readOnly.Present() && c.flag(readOnly) != nil
		v := volumes[name.Text()]
		switch {
		case !name.Present():
			c.Errorf(item, "no name: write name: with the name of a volume")
		case v == nil:
			c.Errorf(name, "no volume with this name in spec.volumes")
		case !path.IsAbs(target.Text()):
			c.Errorf(item, "no path: write mountPath: with an absolute path in the container")
		default:
			v.mounted++
			v.written = v.written || !only
			c.mount(v, target, only, s)
		}
	}
	s.mounts = c.mounts(volumes)
}

func (c *converter) mount(v *volume, target spot, readOnly bool, s *service) {
	if v.kind == "emptyDir" {
		c.tmpfs(v, target, readOnly, s)
		return
	}
	if v.source == "" { // already reported
		return
	}
	mount := c.mapping(target)
	c.put(mount, c.key(target, "type"), c.text(target, "bind"))
	c.put(mount, c.key(v.at, "source"), c.value(v.at, v.source))
	c.put(mount, c.key(target, "target"), c.value(target, target.Text()))
	if readOnly {
		c.put(mount, c.key(target, "read_only"), c.scalar(target, "!!bool", "true"))
	}
	s.volumes = append(s.volumes, mount)
}

// tmpfs mounts memory. konlet mounted it on the host with the kernel's default
// options; Docker's defaults are noexec, nosuid and nodev.
func (c *converter) tmpfs(v *volume, target spot, readOnly bool, s *service) {
	switch {
	case v.mounted > 1:
		c.Errorf(target, "cannot mount the memory of a volume twice: each mount would have its own memory (use hostPath with a directory below /dev/shm)")
		return
	case strings.Contains(target.Text(), ":"):
		c.Errorf(target, "cannot mount memory at a path with a colon")
		return
	}
	options := "mode=1777,exec,suid,dev"
	if readOnly {
		options += ",ro"
	}
	s.tmpfs = append(s.tmpfs, c.value(target, path.Clean(target.Text())+":"+options))
	c.note(target, "the memory is empty at each start of the container; with konlet it was kept until the host rebooted")
}

// mounts returns x-dockhost.mounts for the disks that the container uses.
func (c *converter) mounts(volumes map[string]*volume) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		v := volumes[name]
		if v.disk == "" || v.mounted == 0 {
			continue
		}
		if seen[v.source] {
			c.Errorf(v.at, "another volume uses this disk: use that one in volumeMounts")
		}
		seen[v.source] = true
		mount := c.mapping(v.at)
		c.put(mount, c.key(v.at, "what"), c.text(v.at, v.disk))
		c.put(mount, c.key(v.at, "where"), c.text(v.at, v.source))
		c.put(mount, c.key(v.at, "type"), c.text(v.at, "ext4"))
		if v.written {
			c.put(mount, c.key(v.at, "makefs"), c.scalar(v.at, "!!bool", "true"))
		} else {
			c.put(mount, c.key(v.at, "options"), c.text(v.at, "ro"))
		}
		list.Content = append(list.Content, mount)
		list.Line, list.Column = mount.Line, mount.Column
	}
	if len(list.Content) == 0 {
		return nil
	}
	return list
}

// unused adds a note for each volume that no volumeMounts uses; konlet refused
// those.
func (c *converter) unused(volumes map[string]*volume) {
	for _, name := range slices.Sorted(maps.Keys(volumes)) {
		if v := volumes[name]; v.mounted == 0 && c.Len() == 0 {
			c.note(v.at, "no volumeMounts uses this volume, so it is left out (konlet refused it)")
		}
	}
}
