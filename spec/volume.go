package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

// Labels of the volumes that dockhost makes.
const (
	// LabelVolumeContainer names the container that the volume was made for.
	LabelVolumeContainer = "dockhost.container"
	// LabelVolumePath is the path at which the container mounts it.
	LabelVolumePath = "dockhost.path"
)

// plainPath is a path that can be told from the name of its volume.
var plainPath = regexp.MustCompile(`^(/[A-Za-z0-9.-]+)+$`)

// VolumeName returns the name of the volume that keeps what a container writes
// below a path for which nobody named a volume: "db" and
// "/var/lib/postgresql/data" give "db__var_lib_postgresql_data". Two paths, or
// two containers, never share a name: a path with other characters than
// letters, digits, "." and "-" gets a part of its SHA-256 sum as a suffix.
func VolumeName(container, target string) string {
	target = path.Clean("/" + target)
	name := container + "_" + strings.Map(volumeRune, target)
	const longest, shown = 255, 40 // of a file name; of the path where it is too long
	if plainPath.MatchString(target) && len(name) <= longest {
		return name
	}
	sum := sha256.Sum256([]byte(target))
	return name[:min(len(name), len(container)+shown)] + "_" + hex.EncodeToString(sum[:6])
}

// volumeRune replaces what Docker does not take in the name of a volume
// (volume/local/local.go: restricted to [a-zA-Z0-9][a-zA-Z0-9_.-]*).
func volumeRune(r rune) rune {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-':
		return r
	}
	return '_'
}

// AnonymousVolumes returns the paths, sorted, at which Docker would make a
// volume without a name for the container: those of the declaration, and those
// of the image's VOLUME at which nothing else is mounted. others are the paths of
// the mounts that the container takes from other containers.
func (c *Container) AnonymousVolumes(image []string, others ...string) []string {
	taken, anonymous := c.targets()
	for _, target := range others {
		taken[path.Clean(target)] = true
	}
	for _, target := range image {
		anonymous[path.Clean(target)] = true
	}
	maps.DeleteFunc(anonymous, func(target string, _ bool) bool { return taken[target] })
	return slices.Sorted(maps.Keys(anonymous))
}

// targets returns the paths at which the declaration mounts something, and those for
// which it names no volume.
func (c *Container) targets() (taken, anonymous map[string]bool) {
	taken, anonymous = map[string]bool{}, map[string]bool{}
	for _, text := range c.HostConfig.Binds {
		if bind := ParseBind(text); bind.Target != "" {
			taken[path.Clean(bind.Target)] = true
		}
	}
	for target := range c.HostConfig.Tmpfs {
		taken[path.Clean(target)] = true
	}
	for _, m := range c.HostConfig.Mounts {
		target := path.Clean(m.Target)
		if isAnonymous(m) {
			anonymous[target] = true
		} else {
			taken[target] = true
		}
	}
	for target := range c.Config.Volumes {
		anonymous[path.Clean(target)] = true
	}
	return taken, anonymous
}

func isAnonymous(m mount.Mount) bool { return m.Type == mount.TypeVolume && m.Source == "" }

// NameVolumes gives the volumes at these paths a name: it returns copies of the
// two configurations in which name(path) is mounted at each of them. A path for
// which name returns "" stays as it is. Docker makes a volume that does not
// exist, with these labels and with what the image has at the path.
func NameVolumes(config *container.Config, host *container.HostConfig, paths []string, name func(path string) string, labels func(path string) map[string]string) (*container.Config, *container.HostConfig) {
	newConfig, newHost := *config, *host
	newConfig.Volumes, newHost.Mounts = maps.Clone(config.Volumes), slices.Clone(host.Mounts)
	for _, target := range paths {
		volume := name(target)
		if volume == "" {
			continue
		}
		named := mount.Mount{Type: mount.TypeVolume, Source: volume, Target: target}
		if l := labels(target); len(l) > 0 {
			named.VolumeOptions = &mount.VolumeOptions{Labels: l}
		}
		i := slices.IndexFunc(newHost.Mounts, func(m mount.Mount) bool { return isAnonymous(m) && path.Clean(m.Target) == target })
		if i < 0 {
			newHost.Mounts = append(newHost.Mounts, named)
		} else {
			newHost.Mounts[i] = withName(newHost.Mounts[i], named)
		}
		maps.DeleteFunc(newConfig.Volumes, func(other string, _ struct{}) bool { return path.Clean(other) == target })
	}
	return &newConfig, &newHost
}

// withName returns a declared mount with the name and the labels of another one.
func withName(declared, named mount.Mount) mount.Mount {
	declared.Source = named.Source
	if named.VolumeOptions == nil {
		return declared
	}
	options := mount.VolumeOptions{}
	if declared.VolumeOptions != nil {
		options = *declared.VolumeOptions
	}
	options.Labels = maps.Clone(options.Labels)
	if options.Labels == nil {
		options.Labels = map[string]string{}
	}
	maps.Copy(options.Labels, named.VolumeOptions.Labels)
	declared.VolumeOptions = &options
	return declared
}
