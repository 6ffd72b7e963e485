// Package status gathers the status of the assigned containers from the run
// directory, systemd and Docker. It needs no agent: dockhostctl uses it when the agent
// does not answer.
package status

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// engineClient is what a gatherer needs from Docker.
type engineClient interface {
	Info(ctx context.Context) (engine.Info, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Activity(ctx context.Context) <-chan struct{}
}

// units is what a gatherer needs from systemd.
type units interface {
	Unit(ctx context.Context, name string) (systemd.Unit, error)
	Units(ctx context.Context, pattern string) ([]string, error)
	Failing(ctx context.Context, wanted func(command []string) bool) ([]string, error)
	Version(ctx context.Context) (int, error)
}

// Gatherer gathers the status of a host.
type Gatherer struct {
	Dir    rundir.Dir
	Engine engineClient
	Units  units
	// Root is a prefix of the host's paths, "" on a real host.
	Root string
	// Runtime is the name under which dockhost-runtime is registered.
	Runtime string
}

// askTimeout bounds the answers of Docker and systemd.
const askTimeout = 10 * time.Second

// Docker returns the status of the Engine.
func (g Gatherer) Docker(ctx context.Context) api.Docker {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	info, err := g.Engine.Info(ctx)
	if err != nil {
		return api.Docker{Error: err.Error() + " (see: systemctl status docker.service)"}
	}
	docker := api.Docker{Reachable: true, Version: info.Version}
	if _, docker.RuntimeRegistered = info.Runtimes[g.Runtime]; !docker.RuntimeRegistered {
		docker.Error = `runtime "` + g.Runtime + `" is not registered with Docker (run: dockhost setup)`
	}
	return docker
}

// Containers returns the status of each container that is assigned, or whose unit is
// up, sorted by name, and after them those of units that call dockhost run. Fields that
// cannot be determined are left empty.
func (g Gatherer) Containers(ctx context.Context) ([]api.Container, error) {
	names, err := g.names(ctx)
	if err != nil {
		return nil, err
	}
	version, err := g.Units.Version(ctx)
	if err != nil {
		version = 0
	}
	out := make([]api.Container, len(names))
	var group errgroup.Group
	group.SetLimit(8)
	for i, name := range names {
		group.Go(func() error {
			out[i] = g.container(ctx, name, version)
			return nil
		})
	}
	others := g.unitContainers(ctx)
	err = group.Wait()
	return append(out, others...), err
}

// names returns the containers that are assigned or that systemd runs. Without the
// permission to read the run directory, it returns the latter alone.
func (g Gatherer) names(ctx context.Context) ([]string, error) {
	names, err := g.Dir.Containers()
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	active, err := g.Units.Units(ctx, spec.UnitName("*"))
	if err != nil && len(names) == 0 {
		return nil, err
	}
	for _, unit := range active {
		if name, isOurs := spec.ContainerName(unit); isOurs && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Well reports whether every container is ready and nobody has to act.
func Well(s api.Status) bool {
	if s.Source.LastKnownGood || s.Source.Waiting != "" || len(s.Source.Problems) > 0 || s.Docker.Error != "" {
		return false
	}
	if s.Housekeeping != nil && s.Housekeeping.Problem != "" {
		return false
	}
	return !slices.ContainsFunc(s.Containers, func(c api.Container) bool { return !c.Well() })
}

// Judge sets the state of each container, and whether all is well.
func Judge(s *api.Status) {
	for i := range s.Containers {
		s.Containers[i].Judge()
	}
	s.Well = s.Agent.Reachable && Well(*s)
}
