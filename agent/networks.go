package agent

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// sweepTimeout bounds a sweep of networks, during which no change is made.
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
	// mayAsk reports whether Docker may be asked.
	mayAsk func(ctx context.Context) bool
	wake   chan struct{}
	log    *zap.Logger
}

func newNetworkSweeper(o Options, dir rundir.Dir, a *Agent) *networkSweeper {
	return &networkSweeper{
		engine: o.Engine, store: a.store, deployer: a.deployer, dir: dir, mayAsk: a.house.mayAskDocker,
		wake: make(chan struct{}, 1), log: o.Log,
	}
}

// wakeUp requests a sweep.
func (s *networkSweeper) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sweeps on request until ctx ends. While Docker does not answer, it tries again.
func (s *networkSweeper) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		tries := backoff.Backoff{Next: time.Second, Cap: 5 * time.Minute}
		for !s.mayAsk(ctx) || errors.Is(s.sweep(ctx), engine.ErrUnreachable) {
			if tries.Wait(ctx) != nil {
				return
			}
		}
	}
}

// sweep removes the networks that dockhost made, that nothing assigned needs, and
// that have no container.
func (s *networkSweeper) sweep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, sweepTimeout)
	defer cancel()
	return s.deployer.undisturbed(func() error {
		needed, known := s.needed()
		if !known {
			return nil
		}
		networks, err := s.engine.NetworksByLabel(ctx, spec.LabelMade)
		if err != nil {
			return err
		}
		for _, n := range networks {
			if !needed[n.Name] {
				s.remove(ctx, n.Name)
			}
		}
		return nil
	})
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

func (s *networkSweeper) remove(ctx context.Context, name string) {
	unlock, err := s.dir.LockNetworks(ctx)
	if err != nil {
		s.log.Warn("network not removed", zap.String("network", name), zap.Error(err))
		return
	}
	defer unlock()
	err = s.engine.RemoveUnusedNetwork(ctx, name)
	switch {
	case err == nil:
		s.log.Info("network removed that nothing assigned needs", zap.String("network", name))
	case !errors.Is(err, engine.ErrConflict):
		s.log.Warn("network not removed", zap.String("network", name), zap.Error(err))
	}
}
