package agent

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// volumeStore is what the agent needs from Docker to remove volumes.
type volumeStore interface {
	VolumesByLabel(ctx context.Context, label, value string) ([]engine.Volume, error)
	RemoveVolume(ctx context.Context, name string) error
}

// volumes removes the volumes that dockhost made for the anonymous volumes of a
// container. Nothing else removes them, except for housekeeping with `volumes:`.
type volumes struct {
	docker volumeStore
	log    *zap.Logger
}

// exist reports whether a container has such volumes.
func (v volumes) exist(ctx context.Context, container string) (bool, error) {
	list, err := v.docker.VolumesByLabel(ctx, spec.LabelVolumeContainer, container)
	return len(list) > 0, err
}

// remove removes them, with their data. The container must have ended.
func (v volumes) remove(ctx context.Context, container string) error {
	list, err := v.docker.VolumesByLabel(ctx, spec.LabelVolumeContainer, container)
	if err != nil {
		return fmt.Errorf("remove the volumes of %q (run: dockhostctl rm --volumes %s again): %w", container, container, err)
	}
	var errs []error
	for _, volume := range list {
		err := v.docker.RemoveVolume(ctx, volume.Name)
		switch {
		case err == nil:
			v.log.Info("volume removed", zap.String("volume", volume.Name), zap.String("container", container))
		case !errors.Is(err, engine.ErrNotFound):
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
