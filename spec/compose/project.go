package compose

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// project is what the containers of one source share: a name, volumes and networks.
type project struct {
	*report
	// name is "" for user data that has none. Its volumes and networks then have
	// their plain names.
	name string
	// strict is true if the source must declare the volumes that it uses.
	strict bool
	// volumes and networks are those of the sections, by their keys.
	volumes  map[string]spec.Volume
	networks map[string]spec.Network
	// defaultNetwork is the network of the services that name no network, or nil if
	// they stay on Docker's default bridge.
	defaultNetwork *spec.Network
	// containerNames are the names of the containers in Docker, by service.
	containerNames map[string]string
}

// ProjectName returns the name of the project of a file, which is the base name
// without .yaml or .yml, as Compose makes it of the name of a directory.
func ProjectName(file string) string {
	name := file[strings.LastIndexByte(file, '/')+1:]
	for _, extension := range []string{".yaml", ".yml"} {
		name = strings.TrimSuffix(name, extension)
	}
	return cmp.Or(loader.NormalizeProjectName(name), "default")
}

var projectName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// readProject reads the keys of a project, which are beside its services. A file
// has a project name, user data has none.
func (r *report) readProject(top spot, name string) *project {
	p := &project{report: r, name: name, containerNames: map[string]string{}}
	volumes, networks := top.Field("volumes"), top.Field("networks")
	p.strict = name != "" || volumes.Present()
	if at := top.Field("name"); at.Present() {
		r.interpolate(at, r.sources.vars)
		if !at.IsScalar() || !projectName.MatchString(at.Text()) {
			r.Errorf(at, "cannot use %q as the name of a project: use lower-case letters, digits, \"_\" and \"-\", beginning with a letter or a digit", document.Shorten(at.Text()))
		}
		p.name = at.Text()
	}
	p.volumes = p.readVolumes(volumes)
	p.networks = p.readNetworks(networks)
	return p
}

// join puts the services on their networks.
func (p *project) join(declared []*declaration) {
	for _, d := range declared {
		p.containerNames[d.name] = cmp.Or(d.service.ContainerName, d.name)
	}
	if len(declared) > 1 && p.defaultNetwork == nil {
		p.setDefaultNetwork(spec.Network{})
	}
	for _, d := range declared {
		d.endpoints = d.joinNetworks()
	}
	for _, d := range declared {
		d.addLinks(declared)
	}
}

// objectName is the name in Docker of a volume or network.
func (p *project) objectName(key string) string {
	if p.name == "" {
		return key
	}
	return p.name + "_" + key
}

// labels returns the declared labels, and those by which Compose knows a volume or a
// network of the project.
func (p *project) labels(declared types.Labels, kind, key string) map[string]string {
	if p.name == "" {
		return declared
	}
	labels := map[string]string{spec.LabelProject: p.name, kind: key}
	maps.Copy(labels, declared)
	return labels
}

// entries returns the entries of a section of the project that Compose accepts.
func (p *project) entries(section spot, kind, example string, allowed document.Keys) map[string]spot {
	if !section.Present() || section.IsNull() {
		return nil
	}
	if !section.IsMapping() {
		p.Errorf(section, "not a mapping: write NAME: below it, %s", example)
		return nil
	}
	accepted := map[string]spot{}
	for name, at := range section.Fields() {
		if strings.HasPrefix(name, "x-") {
			continue
		}
		before := p.Len()
		if !p.sources.inFile { // in a file, this was done for all sections
			p.interpolate(at, nil)
		}
		checked := at
		if at.IsMapping() {
			checked = p.Check(at, allowed)
		}
		if p.Len() > before {
			continue
		}
		if _, err := loadProject(map[string]any{kind: map[string]any{alone: plain(checked.Node, true)}}); err != nil {
			p.Errorf(at, "%s", foreign(err))
			continue
		}
		accepted[name] = checked
	}
	return accepted
}

// plainEntries is the form of entries that compose-go reads.
func plainEntries(entries map[string]spot) map[string]any {
	all := make(map[string]any, len(entries))
	for name, at := range entries {
		all[name] = plain(at.Node, true)
	}
	return all
}

// checkExternal reports settings beside external: true, which have no effect.
func (p *project) checkExternal(at spot) {
	for key, value := range at.Fields() {
		if key != "external" && key != "name" && !value.IsNull() {
			p.Errorf(value, "cannot be set with external: this is made elsewhere")
		}
	}
}

// undeclared reports a volume or network that the project does not declare.
func (p *project) undeclared(at spot, kind, name string, known []string) {
	hint := ""
	if near := document.Nearest(name, known); near != "" {
		hint = " (did you mean \"" + near + "\"?)"
	}
	p.Errorf(at, "no %s %q is declared%s: write %ss: at the top level, and %s: below it", kind, document.Shorten(name), hint, kind, document.Shorten(name))
}

// containerName returns container_name, or "".
func (d *declaration) containerName() string {
	name := d.service.ContainerName
	if name == "" {
		return ""
	}
	if err := spec.CheckName(name); err != nil {
		d.Errorf(d.field("container_name"), "%v", err)
	}
	return name
}

// checkContainerNames reports names that two containers have in Docker.
func (r *report) checkContainerNames(declared []*declaration) {
	taken := map[string]string{}
	for _, d := range declared {
		if d.service.ContainerName == "" {
			taken[d.name] = d.name
		}
	}
	for _, d := range declared {
		name := d.service.ContainerName
		if name == "" {
			continue
		}
		if other, isTaken := taken[name]; isTaken {
			r.Errorf(d.field("container_name"), "the container of %q has this name already", document.Shorten(other))
		}
		taken[name] = d.name
	}
}

// placeOfName is where the name of a volume or network comes from.
func placeOfName(at spot) spot {
	if name := at.Field("name"); name.Present() {
		return name
	}
	return at
}

// sorted returns the keys of a map, sorted.
func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
