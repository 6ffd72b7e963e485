package policy

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// disk judges a mount of a disk. A type of file system or an option outside of the lists
// below may mount something else than the disk, or read other files: a rule has to name
// it, also with default: allow.
func (c *check) disk(m spec.Mount) {
	c.word("disks", m.What, "the disk")
	c.path("host_mounts", m.Where, false, "a mount at")
	if m.Type != "" && !slices.Contains(diskFilesystems(), m.Type) {
		c.named("filesystems", m.Type, "the type of file system")
	}
	if m.Options == "" {
		return
	}
	for option := range strings.SplitSeq(m.Options, ",") {
		name, _, _ := strings.Cut(option, "=")
		if !slices.Contains(diskOptions(), name) {
			c.named("mount_options", name, "the mount option")
		}
	}
}

// named judges a value that a rule has to name.
func (c *check) named(rule, value, what string) {
	if !c.names(rule, func(entry string) bool { return matches(entry, value) }) {
		c.refuse(rule, what+" "+document.Shorten(strconv.Quote(value)))
	}
}

// diskFilesystems are types of file systems that are on the disk itself.
func diskFilesystems() []string {
	return []string{"bcachefs", "btrfs", "erofs", "exfat", "ext2", "ext3", "ext4", "f2fs", "iso9660", "jfs", "ntfs3", "squashfs", "udf", "vfat", "xfs"}
}

// diskOptions are mount options that concern the file system on the disk alone. With
// device=, logdev=, rtdev= or journal_path= it would use another device, and with bind
// or lowerdir= another directory.
func diskOptions() []string {
	return strings.Fields(`
		defaults nofail ro rw async sync dirsync
		atime noatime nodiratime relatime norelatime strictatime nostrictatime lazytime nolazytime
		exec noexec suid nosuid dev nodev iversion noiversion
		acl noacl user_xattr nouser_xattr errors commit barrier nobarrier data delalloc nodelalloc discard nodiscard
		stripe auto_da_alloc noauto_da_alloc resuid resgid journal_checksum
		quota noquota usrquota grpquota prjquota uquota gquota pquota
		inode32 inode64 logbufs logbsize largeio nolargeio swalloc allocsize wsync norecovery
		subvol subvolid compress compress-force ssd nossd autodefrag noautodefrag space_cache nospace_cache clear_cache
		max_inline thread_pool datacow nodatacow datasum nodatasum degraded
		uid gid umask fmask dmask utf8 iocharset codepage shortname check flush tz time_offset
		x-systemd.device-timeout x-systemd.growfs x-systemd.mount-timeout`)
}
