package status

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/oneline"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd"
)

// maxOutput is the longest line of a health check's output, in characters.
const maxOutput = 256

// container returns the status of a container that is assigned or whose unit is up.
func (g Gatherer) container(ctx context.Context, name string, systemdVersion int) api.Container {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	c := api.Container{Name: name, Unit: spec.UnitName(name)}
	assigned, assignedErr := g.Dir.Container(name)
	if assignedErr == nil {
		c.Image = assigned.Image
	}
	if unit, err := g.Units.Unit(ctx, c.Unit); err == nil {
		addUnit(&c, unit)
		if assignedErr == nil {
			c.SettingsProblem = g.settingsProblem(assigned, unit, systemdVersion)
		}
	}
	state, err := g.Dir.State(name)
	if err != nil {
		// Without the permission to read the state, a unit that is active counts as
		// ready: systemd makes it active once its container is ready.
		c.Ready = errors.Is(err, fs.ErrPermission) && isUp(c.ActiveState)
		return c
	}
	addState(&c, state)
	running := state.ConfigHash
	if c.ID != "" && c.ActiveState != "inactive" {
		inspected, err := g.Engine.Inspect(ctx, c.ID)
		switch {
		case err == nil:
			addInspected(&c, inspected)
			running = cmp.Or(inspected.Labels[request.LabelConfigHash], running)
		case errors.Is(err, engine.ErrNotFound):
			c.Ready = false
		}
	}
	if assignedErr == nil && running != assigned.Hash() {
		// The unit is about to restart: what is ready is the container's predecessor.
		c.Ready, c.Finished = false, false
		c.Outdated = state.Phase != "ended" && c.ActiveState != "inactive" && c.ActiveState != "failed"
	}
	return c
}

// addUnit adds what systemd knows about the unit.
func addUnit(c *api.Container, unit systemd.Unit) {
	c.ActiveState, c.SubState = unit.ActiveState, unit.SubState
	c.StatusText, c.Restarts = unit.StatusText, unit.Restarts
	c.Masked, c.Queued = unit.LoadState == "masked", unit.Job
	c.Result, c.ExitStatus = unit.Result, unit.ExitStatus
	c.Since, c.ExitedAt, c.Cgroup = moment(unit.Since), moment(unit.ExitedAt), unit.ControlGroup
}

// addState adds what the supervisor wrote about its container.
func addState(c *api.Container, state rundir.State) {
	c.Image, c.Digest, c.Cached, c.ID = state.Image, state.Digest, state.Cached, state.ContainerID
	c.Phase = state.Phase
	for _, path := range slices.Sorted(maps.Keys(state.Volumes)) {
		c.Volumes = append(c.Volumes, api.Volume{Path: path, Name: state.Volumes[path]})
	}
	if c.Since == nil {
		// systemd forgets a unit that ended without an error.
		c.Since = &state.Since
	}
	// A supervisor that was killed leaves a state that says ready.
	c.Ready = state.Ready && isUp(c.ActiveState)
	c.Finished = state.Finished() && !c.Ready
	if c.Ready {
		c.GPU = state.GPU
	}
	if state.LastError != nil {
		c.LastError = &api.Failure{At: state.LastError.At, Message: state.LastError.Message}
	}
}

// addInspected adds what Docker knows about the container.
func addInspected(c *api.Container, inspected engine.Container) {
	c.Health, c.Paused, c.Ports = inspected.Health, inspected.Paused, inspected.Ports
	c.StartedAt = moment(inspected.StartedAt)
	if !inspected.HealthAt.IsZero() {
		c.HealthCheck = &api.HealthCheck{
			At: inspected.HealthAt, ExitStatus: inspected.HealthExit,
			Output:   oneline.Last(oneline.Mask(inspected.HealthOutput, inspected.Env), maxOutput),
			Failures: inspected.HealthFailures, Retries: inspected.HealthRetries,
		}
	}
}

// isUp says whether a unit in an active state has started. A unit that is reloaded has.
func isUp(activeState string) bool {
	return activeState == "active" || activeState == "reloading" || activeState == "refreshing"
}

// moment returns a time that may be unknown.
func moment(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
