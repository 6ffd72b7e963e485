package compose

import (
	"slices"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/dockhost/dockhost/spec"
)

// link says that a container needs another one.
type link struct {
	at   spot
	name string
	// joined is true when this container stops with the other one.
	joined bool
	// optional is true when the other container need not be declared here.
	optional bool
}

// dependsOn returns the containers in depends_on and those whose namespaces are
// joined. All of Compose's conditions mean "ready" here, because a container's
// unit is active only when the container is ready by its own notify mode.
func (d *declaration) dependsOn() []spec.Dependency {
	at := d.field("depends_on")
	for item := range d.items("depends_on") {
		d.links = append(d.links, link{at: item, name: item.Text()})
	}
	for name, value := range at.Fields() {
		d.links = append(d.links, link{at: value, name: name, optional: d.optionalDependency(value)})
	}
	var dependencies []spec.Dependency
	known := map[string]int{}
	for _, l := range d.links {
		i, isKnown := known[l.name]
		switch {
		case l.optional && !d.declared[l.name]: // dockhost does not start it
		case isKnown:
			dependencies[i].Joined = dependencies[i].Joined || l.joined
		default:
			known[l.name] = len(dependencies)
			dependencies = append(dependencies, spec.Dependency{Name: l.name, Joined: l.joined})
		}
	}
	return dependencies
}

// optionalDependency reports whether the long form makes the other container
// optional.
func (d *declaration) optionalDependency(at spot) bool {
	if condition := at.Field("condition"); condition.Text() == "service_completed_successfully" {
		d.Errorf(condition, "cannot wait for a container to end successfully: use service_started or service_healthy")
	}
	if restart := at.Field("restart"); restart.Text() == "true" {
		d.Errorf(restart, "cannot be set here: set PartOf in x-dockhost.unit.Unit")
	}
	return at.Field("required").Text() == "false"
}

// checkLinks reports missing containers and circles.
func (r *report) checkLinks(declared []*declaration) {
	byName := make(map[string]*declaration, len(declared))
	var names []string
	for _, d := range declared {
		byName[d.name] = d
		names = append(names, d.name)
	}
	hints := 0
	for _, d := range declared {
		for _, l := range d.links {
			if d.declared[l.name] || l.optional {
				continue
			}
			hint := ""
			if hints++; hints <= maxHints {
				if near := document.Nearest(l.name, names); near != "" {
					hint = " (did you mean \"" + near + "\"?)"
				}
			}
			r.Errorf(l.at, "no container %q is declared here%s", document.Shorten(l.name), hint)
		}
	}
	walk := &walker{report: r, byName: byName, state: map[string]int{}}
	for _, d := range declared {
		if walk.state[d.name] == 0 {
			walk.visit(d, nil)
		}
	}
}

// walker finds circles, depth first.
type walker struct {
	*report
	byName map[string]*declaration
	state  map[string]int
}

const (
	walking = 1
	walked  = 2
)

func (w *walker) visit(d *declaration, trail []string) {
	w.state[d.name] = walking
	trail = append(trail, d.name)
	for _, l := range d.links {
		next := w.byName[l.name]
		switch {
		case next == nil || w.state[l.name] == walked:
		case w.state[l.name] == walking:
			names := append(slices.Clone(trail[slices.Index(trail, l.name):]), l.name)
			w.Errorf(l.at, "these containers wait for each other in a circle: %s", circle(names))
		default:
			w.visit(next, trail)
		}
	}
	w.state[d.name] = walked
}
