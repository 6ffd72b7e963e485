package supervisor

import (
	"context"
	"errors"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/supervisor/owner"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// sweep removes the containers that killed supervisors of this unit left. It
// finds them by their placements, even if they were renamed. A leftover that
// cannot be removed does not stop the start: the next start tries again.
func (m *maker) sweep(ctx context.Context) {
	if !m.unit.exists() {
		return
	}
	ids, err := placement.OfUnit(m.dir.RuntimeDir(), m.unit.name)
	if err != nil {
		m.log.Warn("cannot look for leftover containers", zap.Error(err))
	}
	for _, id := range ids {
		if err := m.sweepOne(ctx, id); err != nil {
			m.log.Warn("leftover container not removed", zap.String("container_id", id), zap.Error(err))
		}
	}
}

func (m *maker) sweepOne(ctx context.Context, id string) error {
	container, err := m.engine.Inspect(ctx, id)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return placement.Remove(m.dir.RuntimeDir(), id)
	case err != nil:
		return err
	case owner.Runs(m.unit.cgroups.Root, container.Labels[request.LabelSupervisor]):
		return nil // another command of this unit
	case m.container.Run != nil && container.Running:
		return nil // it was handed over to systemd
	}
	return m.removeLeftover(ctx, container)
}
