package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/network"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	settings "github.com/dockhost/dockhost/spec/update"
)

// besides are the second containers that run beside those that are being replaced
// (start-first), by their names. They are assigned by nobody else.
type besides struct {
	mu    sync.Mutex
	names map[string]bool
}

// besideSuffix makes the name of the second container of a container.
const besideSuffix = ".next"

func besideName(name string) string { return name + besideSuffix }

func (b *besides) set(name string, running bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if running {
		b.names[name] = true
	} else {
		delete(b.names, name)
	}
}

// has reports whether a container is the second one of another.
func (b *besides) has(name string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.names[name]
}

// errCollides says that a second container cannot run beside the first.
var errCollides = errors.New("cannot run beside the container that it replaces")

// besideOf returns the second container for a container. On its networks, it answers to
// the name of the first, too, so that clients find both.
func besideOf(c *spec.Container) *spec.Container {
	second := *c
	second.Name = besideName(c.Name)
	second.ContainerName, second.DependsOn, second.Mounts = "", nil, nil
	if c.Networking == nil {
		return &second
	}
	endpoints := maps.Clone(c.Networking.EndpointsConfig)
	for name, endpoint := range endpoints {
		if endpoint == nil {
			endpoint = &network.EndpointSettings{}
		}
		named := *endpoint
		named.Aliases = slices.Concat(endpoint.Aliases, []string{c.Name})
		endpoints[name] = &named
	}
	second.Networking = &network.NetworkingConfig{EndpointsConfig: endpoints}
	return &second
}

// Beside implements [update.Host].
func (h *updateHost) Beside(ctx context.Context, next *spec.Container) error {
	if err := h.fitsBeside(ctx, next); err != nil {
		return err
	}
	second := besideOf(next)
	h.besides.set(second.Name, true)
	begun := time.Now()
	if err := h.deployer.ensureRunning(ctx, second); err != nil {
		return err
	}
	unit := spec.UnitName(second.Name)
	changes, err := h.deployer.units.systemd.Watch(ctx, unit)
	if err != nil {
		return err
	}
	for {
		u, err := h.deployer.units.systemd.Unit(ctx, unit)
		if err != nil {
			return err
		}
		state, err := h.dir().State(second.Name)
		if err != nil {
			state = rundir.State{} // its supervisor has not begun
		}
		o := observation(u, state)
		switch {
		case o.Hash == second.Hash() && o.Ready:
			return nil
		case o.Failure.Hash == second.Hash() && o.Failure.At.After(begun) && (o.Ended || o.Restarts > 0):
			return &update.NotWellError{Why: "beside the container that it replaces: " + o.Failure.Message}
		case o.Ended && o.Hash == second.Hash() && o.Failure.At.After(begun):
			return errors.New("beside the container that it replaces: " + o.Failure.Message) // the declaration is not to blame
		case o.Ended && o.Hash == second.Hash():
			return &update.NotWellError{Why: "beside the container that it replaces: " + endedText(u)}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case _, open := <-changes:
			if !open {
				return errors.New("lost connection to systemd")
			}
		}
	}
}

// fitsBeside returns an error if a container cannot run beside the one that it replaces.
func (h *updateHost) fitsBeside(ctx context.Context, next *spec.Container) error {
	reasons := settings.Collisions(next)
	image, err := h.Image(ctx, next)
	if err != nil {
		return err
	}
	inspected, err := h.preparer.engine.Image(ctx, image.ID)
	if err != nil {
		return err
	}
	for _, path := range next.AnonymousVolumes(inspected.Volumes) {
		reasons = append(reasons, "both would write to the volume of the image at "+path)
	}
	if h.store.container(besideName(next.Name)) != nil {
		reasons = append(reasons, "the name "+besideName(next.Name)+" is taken")
	}
	if len(reasons) > 0 {
		return fmt.Errorf("%w: %s (use order: stop-first)", errCollides, strings.Join(reasons, "; "))
	}
	return nil
}

// EndBeside implements [update.Host].
func (h *updateHost) EndBeside(ctx context.Context) {
	second := besideName(h.name)
	if !h.besides.has(second) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, stopTimeout)
	defer cancel()
	units := h.deployer.units
	if err := errors.Join(units.stopForGood(ctx, spec.UnitName(second)), units.removeFiles(second)); err != nil {
		h.log.Warn("second container not stopped", zap.String("container", second), zap.Error(err))
		return
	}
	h.besides.set(second, false)
}
