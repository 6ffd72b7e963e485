package datasource

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/isofat"
)

// maxDiscs bounds how many block devices are looked at.
const maxDiscs = 256

// disc is a file system that may hold user data: iso9660 or FAT on a block
// device, and read without mounting it.
type disc struct {
	root   string
	device string // "/dev/sr0"
	kind   string // "iso9660", "vfat"
	labels []string
}

// labelled returns the discs with one of these labels. Of several, the last
// device is the first, as with cloud-init.
func (h *host) labelled(labels ...string) []*disc {
	return h.discsThat(func(d *disc) bool {
		return slices.ContainsFunc(d.labels, func(label string) bool { return slices.Contains(labels, label) })
	})
}

// opticals returns the discs in optical drives, by the device names that
// cloud-init tries for an OVF environment.
func (h *host) opticals() []*disc {
	return h.discsThat(func(d *disc) bool {
		base := path.Base(d.device)
		return d.kind == "iso9660" &&
			(strings.HasPrefix(base, "sr") || strings.HasPrefix(base, "hd") || strings.HasPrefix(base, "xvd"))
	})
}

func (h *host) discsThat(match func(*disc) bool) []*disc {
	if h.discs == nil {
		h.discs = findDiscs(h.root)
	}
	var matching []*disc
	for _, d := range h.discs {
		if match(d) {
			matching = append(matching, d)
		}
	}
	return matching
}

// findDiscs looks at all block devices. It opens only those that udev has no
// type and label for.
func findDiscs(root string) []*disc {
	discs := []*disc{}
	add := func(d *disc) {
		if d != nil && !slices.ContainsFunc(discs, func(other *disc) bool { return other.device == d.device }) {
			discs = append(discs, d)
		}
	}
	blocks, _ := os.ReadDir(filepath.Join(root, "/sys/class/block"))
	for _, block := range blocks[:min(len(blocks), maxDiscs)] {
		if mayBeDisc(root, block.Name()) {
			add(lookAt(root, block.Name()))
		}
	}
	// Links count as well, for devices that are named by hand.
	links, _ := os.ReadDir(filepath.Join(root, "/dev/disk/by-label"))
	for _, link := range links[:min(len(links), maxDiscs)] {
		device := path.Join("/dev/disk/by-label", link.Name())
		if to, err := os.Readlink(filepath.Join(root, device)); err == nil && !path.IsAbs(to) {
			device = path.Join(path.Dir(device), to)
		}
		if !slices.ContainsFunc(discs, func(d *disc) bool { return d.device == device }) && wanted(link.Name()) {
			add(probe(root, device))
		}
	}
	slices.SortFunc(discs, func(a, b *disc) int { return cmp.Compare(b.device, a.device) })
	return discs
}

// wanted reports whether any datasource looks for this label.
func wanted(label string) bool {
	label = strings.ToLower(label)
	return label == "cidata" || label == "config-2" || strings.HasPrefix(label, "rd_rdfe") || strings.HasPrefix(label, "ovf")
}

// mayBeDisc leaves out devices that never hold user data, and drives without a
// disc: opening a floppy drive takes seconds.
func mayBeDisc(root, block string) bool {
	for _, prefix := range []string{"ram", "zram", "fd", "mtdblock"} {
		if strings.HasPrefix(block, prefix) {
			return false
		}
	}
	size, err := readFile(root, path.Join("/sys/class/block", block, "size"))
	return err != nil || strings.TrimSpace(string(size)) != "0"
}

// lookAt returns the disc in a block device, from udev's database or by reading
// the device, or nil.
func lookAt(root, block string) *disc {
	device := "/dev/" + strings.ReplaceAll(block, "!", "/") // sysfs's way with cciss/c0d0
	number, _ := readFile(root, path.Join("/sys/class/block", block, "dev"))
	known, err := readFile(root, "/run/udev/data/b"+strings.TrimSpace(string(number)))
	if len(number) == 0 || err != nil {
		return probe(root, device)
	}
	d := &disc{root: root, device: device}
	for line := range strings.Lines(string(known)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch name {
		case "E:ID_FS_TYPE":
			d.kind = value
		case "E:ID_FS_LABEL", "E:ID_FS_LABEL_FATBOOT":
			d.labels = append(d.labels, value)
		}
	}
	if d.kind != "iso9660" && d.kind != "vfat" && d.kind != "udf" {
		return nil
	}
	return d
}

// probe looks at a device itself.
func probe(root, device string) *disc {
	d := &disc{root: root, device: device}
	if err := d.with(func(v *isofat.Volume) error {
		d.kind, d.labels = v.Type, v.Labels
		return nil
	}); err != nil {
		return nil
	}
	return d
}

// with opens the disc.
func (d *disc) with(use func(*isofat.Volume) error) error {
	name := filepath.Join(d.root, d.device)
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	block := info.Mode()&(fs.ModeDevice|fs.ModeCharDevice) == fs.ModeDevice
	if !block && !info.Mode().IsRegular() {
		return errors.New("neither a block device nor an image")
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	v, err := isofat.Open(file)
	if err != nil {
		return err
	}
	return use(v)
}

func (d *disc) read(name string) (raw []byte, err error) {
	err = d.with(func(v *isofat.Volume) error {
		raw, err = v.ReadFile(name, cloudinit.MaxSize)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", d.path(name), err)
	}
	return raw, nil
}

func (d *disc) path(name string) string {
	if name == "" {
		return d.device
	}
	return d.device + ":/" + name
}
