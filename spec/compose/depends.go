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
	// condition and restart are Compose's.
	condition spec.Condition
	restart   bool
}

// dependsOn returns the containers in depends_on and those whose namespaces are
// joined.
func (d *declaration) dependsOn() []spec.Dependency {
	at := d.field("depends_on")
	for item := range d.items("depends_on") {
		d.links = append(d.links, link{at: item, name: item.Text()})
	}
	for name, value := range at.Fields() {
		l := link{at: value, name: name, optional: value.Field("required").Text() == "false", restart: value.Field("restart").Text() == "true"}
		if condition := spec.Condition(value.Field("condition").Text()); condition == spec.ConditionHealthy || condition == spec.ConditionCompleted {
			l.condition = condition
		}
		d.links = append(d.links, l)
	}
	var dependencies []spec.Dependency
	known := map[string]int{}
	for _, l := range d.links {
		i, isKnown := known[l.name]
		switch {
		case l.optional && !d.declared[l.name]: // dockhost does not start it
		case isKnown:
			first := &dependencies[i]
			first.Joined, first.Restart = first.Joined || l.joined, first.Restart || l.restart
			if l.condition != spec.ConditionReady {
				first.Condition = l.condition
			}
		default:
			known[l.name] = len(dependencies)
			dependencies = append(dependencies, spec.Dependency{
				Name: l.name, Joined: l.joined, Condition: l.condition, Restart: l.restart, Optional: l.optional && !l.joined,
			})
		}
	}
	return dependencies
}

// applyConditions changes the containers that others wait for: one that must be
// healthy is ready when its health check passes, and the unit of one that must
// complete stays active after its end.
func (r *report) applyConditions(declared []*declaration, containers []spec.Container) {
	byName := make(map[string]int, len(declared))
	for i, d := range declared {
		byName[d.name] = i
	}
	for _, d := range declared {
		for _, l := range d.links {
			i, found := byName[l.name]
			if !found {
				continue
			}
			switch l.condition {
			case spec.ConditionHealthy:
				r.waitForHealth(l, declared[i], &containers[i])
			case spec.ConditionCompleted:
				r.waitForEnd(l, declared[i], &containers[i])
			case spec.ConditionReady:
			}
		}
	}
}

// waitForHealth has a container be ready once it is healthy, unless its own notify
// says when it is ready.
func (r *report) waitForHealth(l link, other *declaration, c *spec.Container) {
	own := other.dockhost.Field("notify").Present()
	switch {
	case own && c.Notify == spec.NotifyOff:
		r.Errorf(l.at, "cannot wait for the health of %q: it has notify: off", document.Shorten(l.name))
	case own:
	case !hasHealthcheck(c.Config):
		r.Errorf(l.at, "cannot wait for the health of %q: its health check is disabled", document.Shorten(l.name))
	default:
		c.Notify = spec.NotifyHealthy
	}
}

// waitForEnd has the unit of a container stay active after its end.
func (r *report) waitForEnd(l link, other *declaration, c *spec.Container) {
	notify := other.dockhost.Field("notify")
	switch {
	case c.Restart == "always":
		r.Errorf(l.at, "cannot wait until %q has ended: it is always restarted (set its restart to \"no\" or on-failure)", document.Shorten(l.name))
	case l.joined:
		r.Errorf(l.at, "cannot wait until %q has ended and use its namespaces", document.Shorten(l.name))
	case notify.Present() && c.Notify != spec.NotifyStarted:
		r.Errorf(l.at, "cannot wait until %q has ended: it has a notify of its own", document.Shorten(l.name))
	case c.Reload != nil:
		r.Errorf(l.at, "cannot wait until %q has ended: it has a reload", document.Shorten(l.name))
	case c.Notify != spec.NotifyStarted:
		r.Errorf(l.at, "cannot wait until %q has ended: others wait until it is healthy", document.Shorten(l.name))
	}
	c.Completes = true
	if c.Restart == "" {
		c.Restart = "on-failure"
	}
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
