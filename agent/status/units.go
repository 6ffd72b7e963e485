package status

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/systemd"
)

// unitContainers returns the status of the containers of units that call dockhost run,
// sorted by unit: of those that have a container, and of those that wait for their next
// start or have failed.
func (g Gatherer) unitContainers(ctx context.Context) []api.Container {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	units := map[string]string{} // the container's id by unit, "" without one
	if failing, err := g.Units.Failing(ctx, runsContainer); err == nil {
		for _, unit := range failing {
			units[unit] = ""
		}
	}
	users := map[string]string{}
	placed, err := placement.All(g.Dir.RuntimeDir())
	if err != nil {
		placed = nil // without the permission to read it
	}
	for _, id := range slices.Sorted(maps.Keys(placed)) {
		p := placed[id]
		if _, isOurs := spec.ContainerName(p.Unit); isOurs {
			continue
		}
		units[p.Unit] = id
		if systemd.UserSocket(p.UnitCgroup()) != "" {
			users[p.Unit] = p.UnitCgroup()
		}
	}
	var containers []api.Container
	for _, unit := range slices.Sorted(maps.Keys(units)) {
		if _, isOurs := spec.ContainerName(unit); isOurs {
			continue
		}
		c, exists := g.unitContainer(ctx, unit, units[unit], users[unit] != "")
		if exists {
			containers = append(containers, c)
		}
	}
	return containers
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
// unit has been stopped since it was placed. isUsers says that the unit belongs to a
// user's manager, which is not asked.
func (g Gatherer) unitContainer(ctx context.Context, unit, id string, isUsers bool) (c api.Container, exists bool) {
	c = api.Container{Name: unit, Unit: unit, Origin: api.OriginUnit, ID: id}
	running := false
	if id != "" {
		if inspected, err := g.Engine.Inspect(ctx, id); err == nil {
			addInspected(&c, inspected)
			c.Image, running = inspected.Image, inspected.Running
		}
	}
	if isUsers {
		c.ActiveState, c.SubState = "inactive", "dead"
		if running {
			c.ActiveState, c.SubState = "active", "running"
		}
		c.Ready, c.Since = running, c.StartedAt
		return c, running
	}
	u, err := g.Units.Unit(ctx, unit)
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
