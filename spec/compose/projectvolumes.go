package compose

import (
	"cmp"
	"slices"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// volumeKeys are the keys of a named volume.
func volumeKeys() document.Keys {
	return document.Only("driver", "driver_opts", "external", "labels", "name")
}

// readVolumes reads the section volumes of a project.
func (p *project) readVolumes(section spot) map[string]spec.Volume {
	volumes := map[string]spec.Volume{}
	entries := p.entries(section, "volumes", "such as data:", volumeKeys())
	loaded, err := loadProject(map[string]any{"volumes": plainEntries(entries)})
	if err != nil { // each of them was loaded alone
		p.Errorf(section, "%s", foreign(err))
		return volumes
	}
	for _, key := range sorted(entries) {
		at, v := entries[key], loaded.Volumes[key]
		if driver := at.Field("driver"); v.Driver != "" && v.Driver != "local" {
			p.Errorf(driver, "cannot use the driver %q: use local, or create the volume yourself and declare it with external: true", document.Shorten(v.Driver))
		}
		volume := spec.Volume{Name: cmp.Or(v.Name, key), External: bool(v.External)}
		if v.External {
			p.checkExternal(at)
		} else {
			volume.Name = cmp.Or(v.Name, p.objectName(key))
			volume.Options, volume.Labels = v.DriverOpts, p.labels(v.Labels, spec.LabelVolume, key)
		}
		if !volumeName.MatchString(volume.Name) {
			p.Errorf(placeOfName(at), "cannot use %q as the name of a volume: use at least 2 letters, digits, \"_\", \".\" and \"-\"", document.Shorten(volume.Name))
		}
		volumes[key] = volume
	}
	return volumes
}

// namedVolume returns the name in Docker of a volume that the container mounts.
func (d *declaration) namedVolume(at spot, key string) string {
	p := d.project
	volume, declared := p.volumes[key]
	switch {
	case declared:
	case p.strict:
		p.undeclared(at, "volume", key, sorted(p.volumes))
		return key
	case p.name == "":
		return key // Docker makes it
	default:
		volume = spec.Volume{Name: p.objectName(key), Labels: p.labels(nil, spec.LabelVolume, key)}
	}
	if !slices.ContainsFunc(d.volumesUsed, func(v spec.Volume) bool { return v.Name == volume.Name }) {
		d.volumesUsed = append(d.volumesUsed, volume)
	}
	return volume.Name
}
