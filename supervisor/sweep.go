package supervisor

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// sweep removes what supervisors of this unit left that were killed: their
// placements tell, under whatever names their containers go by now. What it
// cannot remove the next start will; it is no reason not to run.
func (s *Supervisor) sweep(ctx context.Context) {
	if s.unit == "" {
		return
	}
	left, err := placement.OfUnit(s.Dir.RuntimeDir(), s.unit)
	if err != nil {
		s.Log.Warn("leftovers not looked for", zap.Error(err))
	}
	for _, id := range left {
		if err := s.sweepOne(ctx, id); err != nil {
			s.Log.Warn("leftover not removed", zap.String("container_id", id), zap.Error(err))
		}
	}
}

func (s *Supervisor) sweepOne(ctx context.Context, id string) error {
	found, err := s.Engine.Inspect(ctx, id)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return placement.Remove(s.Dir.RuntimeDir(), id)
	case err != nil:
		return err
	case looksAfter(s.Cgroups.Root, found.Labels[request.LabelSupervisor]):
		return nil // another command of this unit
	case s.spec.Run != nil && found.Running:
		return nil // one that was left to systemd
	}
	return s.removeLeftover(ctx, found)
}
