package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/engine"
)

// inheritedVolumes returns the mounts for what the images of the containers in
// volumes_from declare as their VOLUME.
func (m *maker) inheritedVolumes(ctx context.Context) ([]mount.Mount, error) {
	var mounts []mount.Mount
	for _, from := range m.container.VolumesFrom {
		image, err := m.engine.Image(ctx, from.Image)
		if errors.Is(err, engine.ErrNotFound) {
			err = fmt.Errorf("the host has no image %q yet (it comes with the container %s)", from.Image, from.Container)
		}
		if err != nil {
			return nil, fmt.Errorf("use the volumes of another container: %w", err)
		}
		for _, inherited := range m.container.InheritedVolumes(from, image.Volumes) {
			if !slices.ContainsFunc(mounts, func(other mount.Mount) bool { return other.Target == inherited.Target }) {
				mounts = append(mounts, inherited)
			}
		}
	}
	return mounts, nil
}

// anonymousVolumes returns the paths at which Docker would make anonymous volumes. A
// path that volumes_from or --volumes-from brings is not one of them.
func (m *maker) anonymousVolumes(ctx context.Context, image engine.Image, inherited []mount.Mount) ([]string, error) {
	var others []string
	for _, mount := range inherited {
		others = append(others, mount.Target)
	}
	for _, from := range m.container.HostConfig.VolumesFrom {
		name, _, _ := strings.Cut(from, ":")
		other, err := m.engine.Inspect(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("use the volumes of another container: %w", err)
		}
		others = append(others, other.Mounts...)
	}
	return m.container.AnonymousVolumes(image.Volumes, others...), nil
}
