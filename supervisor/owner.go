package supervisor

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/supervisor/owner"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// freeName removes the container that has the name, so that a new one can be
// created. It leaves a container alone that a supervisor or another unit still
// owns, or that dockhost did not create: there may be data in it.
func (m *maker) freeName(ctx context.Context) error {
	name := m.container.DockerName()
	holder, err := m.engine.Inspect(ctx, name)
	if errors.Is(err, engine.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if holder.Labels[request.LabelSupervisor] == "" && holder.Labels[request.LabelUnit] == "" || owner.Copied(holder) {
		err := fmt.Errorf("a container named %q exists that dockhost did not create (give it another name: docker rename %s %s-old, or remove it: docker rm -f %s)", name, name, name, name)
		return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "container"})
	}
	if err := m.checkOwner(ctx, holder); err != nil {
		return err
	}
	return m.removeLeftover(ctx, holder)
}

// removeNameless removes the containers that this unit left under names that
// Docker chose, which never conflict.
func (m *maker) removeNameless(ctx context.Context) error {
	if !m.unit.exists() {
		return nil
	}
	containers, err := m.engine.ListByLabel(ctx, request.LabelUnit, m.unit.name)
	if err != nil {
		return err
	}
	for _, container := range containers {
		if owner.Runs(m.unit.cgroups.Root, container.Labels[request.LabelSupervisor]) {
			continue // another command of this unit
		}
		container, err := m.engine.Inspect(ctx, container.ID) // a list lacks the volumes
		if errors.Is(err, engine.ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if owner.Copied(container) {
			continue // of an image that an operator made from a container of this unit
		}
		if err := m.removeLeftover(ctx, container); err != nil {
			return err
		}
	}
	return nil
}

// removeLeftover removes a container that this unit left. The next one continues with
// its anonymous volumes if it replaces it.
func (m *maker) removeLeftover(ctx context.Context, leftover engine.Container) error {
	m.log.Info("removing leftover container", zap.String("container_id", leftover.ID))
	if keeps(m.container) && (leftover.Name == m.container.DockerName() || m.container.Name == "") {
		m.keptVolumes = leftover.Volumes
	}
	if err := m.remove(ctx, leftover.ID); err != nil {
		return err
	}
	return placement.Remove(m.dir.RuntimeDir(), leftover.ID)
}

// checkOwner returns an error when a container that dockhost created is still
// owned: by its supervisor, or by the unit that it was handed over to.
func (m *maker) checkOwner(ctx context.Context, container engine.Container) error {
	name := m.container.DockerName()
	supervisor, unit := container.Labels[request.LabelSupervisor], container.Labels[request.LabelUnit]
	alive := owner.Runs(m.unit.cgroups.Root, supervisor)
	switch {
	case unit == "" && alive:
		return fmt.Errorf("a container named %q belongs to process %s (end that, or use another name)", name, owner.Pid(supervisor))
	case unit == m.unit.name && alive:
		return fmt.Errorf("a container named %q belongs to process %s of this unit (use another name)", name, owner.Pid(supervisor))
	case unit == "" || unit == m.unit.name:
		return nil
	case alive:
	case !container.Running:
		return nil
	default:
		if !m.unit.isActive(ctx, unit) {
			return nil
		}
	}
	return fmt.Errorf("a container named %q belongs to %s (stop that unit, or use another name)", name, unit)
}
