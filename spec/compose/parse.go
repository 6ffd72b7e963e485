// Package compose converts services in Compose syntax, from a `dockhost:` section
// or a Compose file, to containers. It is pure: it reads no files, asks no daemon
// and changes nothing, so that all of it can be tested without a host.
package compose

import (
	"cmp"
	"iter"
	"slices"

	"go.yaml.in/yaml/v4"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/housekeeping"
)

// Parse converts the mapping below `dockhost:` to an assignment. source knows
// where its lines come from. A nil node is an empty assignment. The error is a
// [document.Problems] with every problem.
func Parse(source *document.Source, node *yaml.Node) (*spec.Assignment, error) {
	r := newReport(source)
	assignment := &spec.Assignment{Containers: []spec.Container{}}
	if node == nil {
		return assignment, nil
	}
	top := document.Spot{Node: node}
	if top.Node = r.Resolve(top); top.Node == nil {
		return nil, r.Err()
	}
	if !top.IsMapping() {
		r.Errorf(top, "not a mapping: write containers: below dockhost:, indented")
		return nil, r.Err()
	}
	r.define(top.Field("secrets"), top.Field("configs"), top.Field("profiles"))
	r.project = r.readProject(top, "")
	for name, section := range top.Fields() {
		switch name {
		case "configs", "profiles", "secrets": // were read before
		case "name", "volumes", "networks": // of the project
		case "containers":
			assignment.Containers = r.containers(section)
		case "registries":
			assignment.Registries = r.registries(section)
		case "housekeeping":
			assignment.Housekeeping = housekeeping.Parse(r.Report, section)
		case "services":
			r.Errorf(section, "unknown key %q: below dockhost:, write containers:", name)
		default:
			r.UnknownKey(section, name, []string{"configs", "containers", "housekeeping", "name", "networks", "profiles", "registries", "secrets", "volumes"}, "")
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	assignment.Warnings = r.sources.warnings
	giveCredentials(assignment)
	return assignment, nil
}

// declaration is one container in the source.
type declaration struct {
	*report
	name string
	// at is the resolved mapping. It has only keys of a Compose service.
	at spot
	// dockhost is the x-dockhost mapping.
	dockhost spot
	// service is the mapping as compose-go loaded it.
	service service
	// refused has the parts that compose-go refuses.
	refused map[*yaml.Node]bool
	// noImage is true when the lack of an image was reported, or has a reason that
	// was.
	noImage bool
	// declared has the names of all containers in the source.
	declared map[string]bool
	// links are the containers that this one needs.
	links []link
	// volumesFrom are the services whose volumes the container has, too.
	volumesFrom []volumesFrom
	// gpu has the settings in x-dockhost.gpu, or is nil.
	gpu *spec.GPUOptions
	// deviceSpots are the places of the device requests to Docker.
	deviceSpots []spot
	// entries has the items of lists that compose-go accepts, by key.
	entries map[string][]spot
	// endpoints are the networks of the container, the main one first.
	endpoints []endpoint
	// volumesUsed are the named volumes that the container mounts.
	volumesUsed []spec.Volume
	// published are the host ports that the container uses.
	published []published
}

// containers reads the section with the containers. The result is valid only if
// no problem was reported.
func (r *report) containers(section spot) []spec.Container {
	if section.IsNull() {
		return []spec.Container{}
	}
	if !section.IsMapping() {
		r.Errorf(section, "not a mapping: write NAME: below it, and a Compose service below that")
		return nil
	}
	if !r.withinContainers(section) {
		return nil
	}
	declared := r.declare(section)
	loadAll(declared)
	r.project.join(declared)
	containers := make([]spec.Container, 0, len(declared))
	for _, d := range declared {
		containers = append(containers, d.container())
	}
	declared, containers = r.active(declared, containers)
	r.checkLinks(declared)
	r.applyConditions(declared, containers)
	r.checkPorts(declared)
	r.checkContainerNames(declared)
	r.checkMounts(declared, containers)
	applyVolumesFrom(declared, containers)
	r.checkUpdates(declared, containers)
	slices.SortFunc(containers, func(a, b spec.Container) int { return cmp.Compare(a.Name, b.Name) })
	return containers
}

// declare checks the names and keys of all containers.
func (r *report) declare(section spot) []*declaration {
	var declared []*declaration
	names := map[string]bool{}
	for name, at := range section.Fields() {
		if err := spec.CheckName(name); err != nil {
			r.Errorf(at, "%v", err)
		}
		if !at.IsMapping() {
			r.Errorf(at, "not a Compose service: write image: below it, indented")
			continue
		}
		names[name] = r.isActive(at)
		d := &declaration{report: r, name: name, declared: names, dockhost: at.Field("x-dockhost"), entries: map[string][]spot{}}
		d.at = r.Check(at, serviceKeys())
		if !r.sources.inFile {
			r.interpolate(d.at, nil)
		}
		d.forgetUnfilled(at)
		if d.withinLimits() {
			declared = append(declared, d)
		}
	}
	return declared
}

// field returns a key of the service.
func (d *declaration) field(name string) spot { return d.at.Field(name) }

// items yields the items of a list that compose-go accepts.
func (d *declaration) items(name string) iter.Seq[spot] {
	return func(yield func(spot) bool) {
		for _, item := range d.field(name).Items() {
			if !d.refused[item.Node] && !yield(item) {
				return
			}
		}
	}
}

// entry returns the place of the i-th of count values. If compose-go converted
// the list to another number of values, that is the list itself.
func (d *declaration) entry(name string, i, count int) spot {
	items, found := d.entries[name]
	if !found {
		items = slices.Collect(d.items(name))
		d.entries[name] = items
	}
	if len(items) != count {
		return d.field(name)
	}
	return items[i]
}
