package status

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/systemd"
)

// runUnit is a unit that calls dockhost run. One of a user's manager has a uid, one of the
// system "": the names of both may be the same.
type runUnit struct{ name, uid string }

// placedUnit is the container of such a unit, and the unit's cgroup; both "" without one.
type placedUnit struct{ id, cgroup string }

// unitContainers returns the status of the containers of units that call dockhost run,
// sorted by unit: of those that have a container, and of those that wait for their next
// start or have failed.
func (g Gatherer) unitContainers(ctx context.Context) []api.Container {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	units := g.runUnits(ctx)
	names := map[string]bool{}
	var containers []api.Container
	for _, unit := range slices.SortedFunc(maps.Keys(units), compareUnits) {
		if _, isOurs := spec.ContainerName(unit.name); isOurs {
			continue
		}
		c, exists := g.unitContainer(ctx, unit, units[unit])
		if !exists {
			continue
		}
		if names[c.Name] {
			c.Name = unit.uid + "/" + unit.name
		}
		names[c.Name] = true
		containers = append(containers, c)
	}
	return containers
}

// compareUnits sorts units by name, and those of the system before those of users.
func compareUnits(a, b runUnit) int {
	return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.uid, b.uid))
}

// runUnits returns the units that call dockhost run.
func (g Gatherer) runUnits(ctx context.Context) map[runUnit]placedUnit {
	units := map[runUnit]placedUnit{}
	if failing, err := g.Units.Failing(ctx, runsContainer); err == nil {
		for _, name := range failing {
			units[runUnit{name: name}] = placedUnit{}
		}
	}
	placed, err := placement.All(g.Dir.RuntimeDir())
	if err != nil {
		placed = nil // without the permission to read it
	}
	for _, id := range slices.Sorted(maps.Keys(placed)) {
		cgroup := placed[id].UnitCgroup()
		units[runUnit{placed[id].Unit, systemd.UserOf(cgroup)}] = placedUnit{id, cgroup}
	}
	return units
}

// runsContainer says whether a command of a unit is one that runs a container.
func runsContainer(command []string) bool {
	if len(command) == 0 {
		return false
	}
	program := command[0][strings.LastIndexByte(command[0], '/')+1:]
	return program == "systemd-docker" || program == "dockhost-supervise" || program == "dockhost" && slices.Contains(command[1:], "run")
}

// unitContainer returns the status of the container of a unit. It does not exist when its
// unit has been stopped since it was placed. The manager of a user is not asked.
func (g Gatherer) unitContainer(ctx context.Context, unit runUnit, placed placedUnit) (c api.Container, exists bool) {
	c = api.Container{Name: unit.name, Unit: unit.name, Origin: api.OriginUnit, ID: placed.id, Cgroup: placed.cgroup}
	running := false
	if placed.id != "" {
		if inspected, err := g.Engine.Inspect(ctx, placed.id); err == nil {
			addInspected(&c, inspected)
			c.Image, running = inspected.Image, inspected.Running
		}
	}
	if unit.uid != "" {
		c.ActiveState, c.SubState = "inactive", "dead"
		if running {
			c.ActiveState, c.SubState = "active", "running"
		}
		c.Ready, c.Since = running, c.StartedAt
		return c, running
	}
	u, err := g.Units.Unit(ctx, unit.name)
	if err != nil {
		return c, running
	}
	addUnit(&c, u)
	// The start of a oneshot unit lasts as long as its command.
	c.Ready = isUp(c.ActiveState) || u.Type == "oneshot" && c.ActiveState == "activating" && running
	if c.ActiveState == "inactive" {
		return c, running
	}
	if c.ActiveState == "failed" && c.StatusText != "" {
		c.LastError = &api.Failure{At: u.Since, Message: c.StatusText}
	}
	return c, true
}
