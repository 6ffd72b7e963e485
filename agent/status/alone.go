package status

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// WithoutAgent returns the status as far as it is known without the agent. Left is what
// the agent has left on the disk about the assigned containers; its error says that it
// cannot be read.
func WithoutAgent(ctx context.Context, g Gatherer, left []api.Container, leftErr error) api.Status {
	s := api.Status{Version: api.Version, Docker: g.Docker(ctx)}
	containers, err := g.Containers(ctx)
	if err != nil {
		s.Source.Problems = []string{err.Error()}
	}
	switch {
	case errors.Is(leftErr, fs.ErrPermission):
		s.Source.Note = "only root may see who has stopped a container while the agent does not answer (use: sudo)"
	case leftErr != nil:
		s.Source.Problems = append(s.Source.Problems, leftErr.Error())
	}
	s.Containers = append([]api.Container{}, g.withLeft(ctx, containers, left)...)
	s.Source.Problems = append(s.Source.Problems, SettingsProblems(containers)...)
	Judge(&s)
	for i := range s.Containers {
		blameAgent(&s.Containers[i])
	}
	return s
}

// withLeft adds what the agent has left to the containers that were found, and the
// containers that it has not started since the boot.
func (g Gatherer) withLeft(ctx context.Context, found, left []api.Container) []api.Container {
	for _, known := range left {
		i, exists := slices.BinarySearchFunc(found, known.Name, compareAssigned)
		if !exists {
			c := g.container(ctx, known.Name, 0)
			c.Image = known.Image
			found = slices.Insert(found, i, c)
		}
		found[i].Origin, found[i].Stopped = known.Origin, known.Stopped
	}
	return found
}

// compareAssigned orders a container by a name. Those of other units are last.
func compareAssigned(c api.Container, name string) int {
	if c.Origin == api.OriginUnit {
		return 1
	}
	return strings.Compare(c.Name, name)
}

// blameAgent says of an assigned container that does not run, and that nobody has stopped,
// that only the agent starts it.
func blameAgent(c *api.Container) {
	isAssigned := c.Origin != "" && c.Origin != api.OriginUnit
	if isAssigned && c.Stopped == nil && c.State == api.ContainerStopped {
		c.Reason, c.Cure = "its unit is not active, and the agent, which starts it, does not answer", "systemctl start dockhost"
	}
}
