package compose

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/mount"
)

// volumes returns the container's mounts. Like docker compose, it uses Binds for
// everything that `docker run -v` can express: every version of Docker knows
// Binds, and creates a missing directory of the host for it. The rest goes to
// Mounts.
func (d *declaration) volumes() (binds []string, mounts []mount.Mount) {
	d.checkTargets()
	for i, volume := range d.service.Volumes {
		entry := d.entry("volumes", i, len(d.service.Volumes))
		if !d.checkVolume(entry, &volume) {
			continue
		}
		if volume.Type == types.VolumeTypeVolume && volume.Source != "" {
			volume.Source = d.namedVolume(entry, volume.Source)
		}
		if bindable(&volume) {
			binds = append(binds, bindString(&volume))
		} else {
			mounts = append(mounts, mountOf(&volume))
		}
	}
	return binds, mounts
}

// checkTargets reports paths that are mounted twice, of which compose-go would
// keep only the last, and unknown mount options.
func (d *declaration) checkTargets() {
	seen := map[string]bool{}
	check := func(item spot, target string) {
		if target != "" && seen[path.Clean(target)] {
			d.Errorf(item, "another mount is already at %q", document.Shorten(target))
		}
		seen[path.Clean(target)] = true
	}
	for item := range d.items("volumes") {
		target := item.Field("target").Text()
		if !item.IsMapping() {
			volume, _ := format.ParseVolume(item.Text())
			target = volume.Target
			d.checkMode(item)
		}
		check(item, target)
	}
	for i, value := range d.service.Tmpfs {
		target, _, _ := strings.Cut(value, ":")
		check(d.entry("tmpfs", i, len(d.service.Tmpfs)), target)
	}
}

// checkMode reports unknown options of a volume in short form, which compose-go
// would ignore.
func (d *declaration) checkMode(item spot) {
	parts := strings.Split(item.Text(), ":")
	if len(parts) < 3 {
		return
	}
	for option := range strings.SplitSeq(parts[2], ",") {
		switch option {
		case "ro", "rw", "z", "Z", "nocopy", "cached", "delegated", "consistent":
		default:
			if !slices.Contains(format.Propagations, option) {
				d.Errorf(item, "unknown mount option %q", document.Shorten(option))
			}
		}
	}
}

// volumeName is the form of a local volume's name in Docker.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]+$`)

// checkVolume reports the problems of a volume. It returns false if there are
// any.
func (d *declaration) checkVolume(at spot, volume *types.ServiceVolumeConfig) bool {
	before := d.Len()
	volume.Target = path.Clean(volume.Target)
	if !path.IsAbs(volume.Target) || volume.Target == "/" {
		d.Errorf(at, "cannot mount at %q: write an absolute path in the container, other than /", document.Shorten(volume.Target))
	}
	switch volume.Type {
	case types.VolumeTypeBind:
		d.checkBind(at, volume)
	case types.VolumeTypeVolume:
		if volume.Source != "" && !volumeName.MatchString(volume.Source) {
			d.Errorf(at, "%q is neither an absolute path of the host nor the name of a volume", document.Shorten(volume.Source))
		}
	case types.VolumeTypeTmpfs:
		if volume.Source != "" {
			d.Errorf(at, "a tmpfs has no source: leave source out")
		}
	default:
		d.Errorf(at, "cannot mount type %q: use bind, volume or tmpfs", document.Shorten(volume.Type))
	}
	return d.Len() == before
}

func (d *declaration) checkBind(at spot, volume *types.ServiceVolumeConfig) {
	if !path.IsAbs(volume.Source) {
		d.Errorf(at, "cannot mount %q: write an absolute path, because a host has no project directory", document.Shorten(volume.Source))
	}
	if volume.Bind == nil {
		return
	}
	if p := volume.Bind.Propagation; p != "" && !slices.Contains(format.Propagations, p) {
		d.Errorf(at, "unknown propagation %q", document.Shorten(p))
	}
	if volume.Bind.SELinux != "" && !bindable(volume) {
		d.Errorf(at, "selinux cannot be combined with recursive, create_host_path: false or a colon in a path")
	}
}

// bindable reports whether `docker run -v` can express the volume.
func bindable(volume *types.ServiceVolumeConfig) bool {
	if strings.Contains(volume.Source+volume.Target, ":") {
		return false
	}
	switch volume.Type {
	case types.VolumeTypeBind:
		bind := volume.Bind
		return bind == nil || bool(bind.CreateHostPath) && bind.Recursive == ""
	case types.VolumeTypeVolume:
		options := volume.Volume
		return volume.Source != "" && (options == nil || len(options.Labels) == 0 && options.Subpath == "")
	default:
		return false
	}
}

func bindString(volume *types.ServiceVolumeConfig) string {
	options := []string{"rw"}
	if volume.ReadOnly {
		options[0] = "ro"
	}
	if bind := volume.Bind; bind != nil && volume.Type == types.VolumeTypeBind {
		options = append(options, bind.SELinux, bind.Propagation)
	}
	if volume.Volume != nil && volume.Volume.NoCopy {
		options = append(options, "nocopy")
	}
	options = slices.DeleteFunc(options, func(option string) bool { return option == "" })
	return volume.Source + ":" + volume.Target + ":" + strings.Join(options, ",")
}

func mountOf(volume *types.ServiceVolumeConfig) mount.Mount {
	m := mount.Mount{
		Type:        mount.Type(volume.Type),
		Source:      volume.Source,
		Target:      volume.Target,
		ReadOnly:    volume.ReadOnly,
		Consistency: mount.Consistency(volume.Consistency),
	}
	switch {
	case volume.Type == types.VolumeTypeBind:
		m.BindOptions = bindOptions(volume.Bind)
	case volume.Type == types.VolumeTypeVolume && volume.Volume != nil:
		options := volume.Volume
		if len(options.Labels) > 0 || options.Subpath != "" || options.NoCopy {
			m.VolumeOptions = &mount.VolumeOptions{NoCopy: options.NoCopy, Labels: options.Labels, Subpath: options.Subpath}
		}
	case volume.Type == types.VolumeTypeTmpfs && volume.Tmpfs != nil:
		m.TmpfsOptions = &mount.TmpfsOptions{
			SizeBytes: int64(volume.Tmpfs.Size),
			Mode:      os.FileMode(volume.Tmpfs.Mode),
		}
	}
	return m
}

func bindOptions(bind *types.ServiceVolumeBind) *mount.BindOptions {
	if bind == nil {
		return &mount.BindOptions{CreateMountpoint: true}
	}
	return &mount.BindOptions{
		Propagation:            mount.Propagation(bind.Propagation),
		CreateMountpoint:       bool(bind.CreateHostPath),
		NonRecursive:           bind.Recursive == "disabled",
		ReadOnlyNonRecursive:   bind.Recursive == "writable",
		ReadOnlyForceRecursive: bind.Recursive == "readonly",
	}
}

// tmpfs returns the mount options by path.
func (d *declaration) tmpfs() map[string]string {
	list := d.service.Tmpfs
	if len(list) == 0 {
		return nil
	}
	mounts := make(map[string]string, len(list))
	for i, value := range list {
		target, options, _ := strings.Cut(value, ":")
		if !path.IsAbs(target) {
			d.Errorf(d.entry("tmpfs", i, len(list)), "cannot mount at %q: write an absolute path", document.Shorten(target))
		}
		mounts[target] = options
	}
	return mounts
}
