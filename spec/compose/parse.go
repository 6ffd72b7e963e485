// Package compose turns the services of a `dockhost:` section, in the syntax
// of Compose, into containers. It is pure: it reads no file, asks no daemon and
// changes nothing, so that everything it refuses can be tested without a host.
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

// Parse turns the mapping below `dockhost:` into an assignment. source says
// where its lines come from; a nil node is an assignment of nothing. The error
// is a [document.Problems]: everything that is wrong, at once.
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
	for name, section := range top.Fields() {
		switch name {
		case "containers":
			assignment.Containers = r.containers(section)
		case "registries":
			assignment.Registries = r.registries(section)
		case "housekeeping":
			assignment.Housekeeping = housekeeping.Parse(r.Report, section)
		default:
			r.UnknownKey(section, name, []string{"containers", "housekeeping", "registries"}, "")
		}
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	giveCredentials(assignment)
	return assignment, nil
}

// declaration is one container as it stands in the source.
type declaration struct {
	*report
	name string
	// at is the resolved mapping, with the keys of a Compose service only.
	at spot
	// dockhost is the x-dockhost mapping.
	dockhost spot
	// service is what compose-go made of it.
	service service
	// refused are the parts that compose-go does not take.
	refused map[*yaml.Node]bool
	// noImage says that compose-go did not take the image, which was noted.
	noImage bool
	// declared are the names of all containers of the source.
	declared map[string]bool
	// links are the containers that this one needs.
	links []link
	// gpu is what x-dockhost says about GPUs, nil for nothing, and deviceSpots
	// is where the requests to the Engine for devices stand.
	gpu         *spec.GPUOptions
	deviceSpots []spot
	// published are the host ports that it takes.
	published []published
}

// containers reads the containers section. What it returns counts only when
// no problem was noted.
func (r *report) containers(section spot) []spec.Container {
	if section.IsNull() {
		return []spec.Container{}
	}
	if !section.IsMapping() {
		r.Errorf(section, "not a mapping: write NAME: below it, and a Compose service below that")
		return nil
	}
	declared := r.declare(section)
	loadAll(declared)
	containers := make([]spec.Container, 0, len(declared))
	for _, d := range declared {
		containers = append(containers, d.container())
	}
	r.checkLinks(declared)
	r.checkPorts(declared)
	r.checkMounts(declared, containers)
	slices.SortFunc(containers, func(a, b spec.Container) int { return cmp.Compare(a.Name, b.Name) })
	return containers
}

// declare checks the names and the keys of all containers.
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
		names[name] = true
		d := &declaration{report: r, name: name, declared: names, dockhost: at.Field("x-dockhost")}
		d.at = r.Check(at, serviceKeys())
		r.interpolate(d.at)
		declared = append(declared, d)
	}
	return declared
}

// field returns a key of the service.
func (d *declaration) field(name string) spot { return d.at.Field(name) }

// items yields the items of a list in the service that compose-go takes.
func (d *declaration) items(name string) iter.Seq[spot] {
	return func(yield func(spot) bool) {
		for _, item := range d.field(name).Items() {
			if !d.refused[item.Node] && !yield(item) {
				return
			}
		}
	}
}

// entry returns the item that the i-th of count values stands for, or the list
// itself where compose-go made another number of values of it.
func (d *declaration) entry(name string, i, count int) spot {
	items := slices.Collect(d.items(name))
	if len(items) != count {
		return d.field(name)
	}
	return items[i]
}
