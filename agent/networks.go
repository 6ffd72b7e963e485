package agent

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// sweepTimeout bounds the removal of a network, during which no change is made.
const sweepTimeout = 30 * time.Second

// networkStore is what the agent needs from Docker to find and remove networks.
type networkStore interface {
	Network(ctx context.Context, name string) (engine.Network, error)
	NetworksByLabel(ctx context.Context, label string) ([]engine.Network, error)
	RemoveUnusedNetwork(ctx context.Context, name string) error
}

// networkSweeper removes the networks that dockhost made and nothing assigned needs
// any more. It never removes a volume.
type networkSweeper struct {
	engine   networkStore
	store    *store
	deployer *deployer
	dir      rundir.Dir
	log      *zap.Logger
}

// sweep removes the networks that dockhost made, that nothing assigned needs, and
// that have no container.
func (s *networkSweeper) sweep(ctx context.Context) error {
	networks, err := s.engine.NetworksByLabel(ctx, spec.LabelMade)
	if err != nil {
		return err
	}
	for _, n := range networks {
		if needed, known := s.needed(); !known || needed[n.Name] {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
		err = errors.Join(err, s.deployer.undisturbed(func() error { return s.remove(ctx, n.Name) }))
		cancel()
	}
	return err
}

// needed returns the networks of all containers that are declared or in force, and
// false if it is not known yet what is.
func (s *networkSweeper) needed() (map[string]bool, bool) {
	snapshot := s.store.snapshot()
	if !snapshot.known || snapshot.accepted == nil {
		return nil, false
	}
	needed := map[string]bool{}
	note := func(c *spec.Container) {
		for _, n := range c.Networks {
			needed[n.Name] = true
		}
	}
	for d := range snapshot.accepted.declarations {
		note(d.container)
	}
	for i := range snapshot.accepted.Assignment.Containers {
		note(&snapshot.accepted.Assignment.Containers[i])
	}
	return needed, true
}

// remove removes a network unless it has a container, or is needed again.
func (s *networkSweeper) remove(ctx context.Context, name string) error {
	if needed, known := s.needed(); !known || needed[name] {
		return nil
	}
	unlock, err := s.dir.LockNetworks(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	err = s.engine.RemoveUnusedNetwork(ctx, name)
	switch {
	case err == nil:
		s.log.Info("network removed that nothing assigned needs", zap.String("network", name))
	case errors.Is(err, engine.ErrConflict):
		return nil
	default:
		s.log.Warn("network not removed", zap.String("network", name), zap.Error(err))
	}
	return err
}
