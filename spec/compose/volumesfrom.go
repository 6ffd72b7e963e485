package compose

import (
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// volumesFrom is an entry of volumes_from.
type volumesFrom struct {
	at       spot
	name     string
	readOnly bool
}

// linkVolumes adds a dependency on each service whose volumes this one has.
func (d *declaration) linkVolumes() {
	for item := range d.items("volumes_from") {
		name, mode, _ := strings.Cut(item.Text(), ":")
		switch {
		case name == "container":
			d.Errorf(item, "cannot use the volumes of a container that is not declared here: list them in volumes")
			continue
		case mode != "" && mode != "ro" && mode != "rw":
			d.Errorf(item, "unknown mode %q: use ro or rw", document.Shorten(mode))
		}
		d.links = append(d.links, link{at: item, name: name})
		d.volumesFrom = append(d.volumesFrom, volumesFrom{at: item, name: name, readOnly: mode == "ro"})
	}
}

// applyVolumesFrom gives each container the volumes of others, where it has no mount
// of its own.
func applyVolumesFrom(declared []*declaration, containers []spec.Container) {
	done := map[string]bool{}
	var apply func(i int)
	apply = func(i int) {
		d := declared[i]
		if done[d.name] {
			return
		}
		done[d.name] = true // first: a circle is reported elsewhere
		for _, from := range d.volumesFrom {
			other := slices.IndexFunc(declared, func(other *declaration) bool { return other.name == from.name })
			if other >= 0 && other != i {
				apply(other)
				addVolumes(containers[i].HostConfig, &containers[other], from.readOnly)
				inheritVolumes(&containers[i], &containers[other], from.readOnly)
			}
		}
	}
	for i := range declared {
		apply(i)
	}
}

// addVolumes adds the volumes of another container.
func addVolumes(host *container.HostConfig, other *spec.Container, readOnly bool) {
	taken := map[string]bool{}
	for _, bind := range host.Binds {
		taken[spec.ParseBind(bind).Target] = true
	}
	for _, m := range host.Mounts {
		taken[m.Target] = true
	}
	for target := range host.Tmpfs {
		taken[path.Clean(target)] = true
	}
	for _, bind := range other.HostConfig.Binds {
		if taken[spec.ParseBind(bind).Target] {
			continue
		}
		if readOnly {
			parts := strings.SplitN(bind, ":", 3)
			parts[2] = strings.Replace(parts[2], "rw", "ro", 1)
			bind = strings.Join(parts, ":")
		}
		host.Binds = append(host.Binds, bind)
	}
	for _, m := range other.HostConfig.Mounts {
		if taken[m.Target] || m.Type == mount.TypeTmpfs {
			continue
		}
		if m.Type == mount.TypeVolume && m.Source == "" { // the name that an anonymous volume gets
			m.Source = spec.VolumeName(other.Name, m.Target)
		}
		m.ReadOnly = m.ReadOnly || readOnly
		host.Mounts = append(host.Mounts, m)
	}
}

// inheritVolumes notes whose images have further volumes: the other container's, and
// those of the containers whose volumes that one has.
func inheritVolumes(c, other *spec.Container, readOnly bool) {
	own := spec.VolumesFrom{Container: other.Name, Image: other.Image}
	for target := range other.HostConfig.Tmpfs {
		own.Hidden = append(own.Hidden, path.Clean(target))
	}
	for _, m := range other.HostConfig.Mounts {
		if m.Type == mount.TypeTmpfs {
			own.Hidden = append(own.Hidden, path.Clean(m.Target))
		}
	}
	slices.Sort(own.Hidden)
	for _, from := range append(slices.Clone(other.VolumesFrom), own) {
		from.ReadOnly = from.ReadOnly || readOnly
		c.VolumesFrom = append(c.VolumesFrom, from)
	}
}
