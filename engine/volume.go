package engine

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// Volume is a volume on the host.
type Volume struct {
	Name, Driver    string
	Options, Labels map[string]string
}

// Volume returns the volume of a name. The error is [ErrNotFound] if it does not
// exist.
func (c *Client) Volume(ctx context.Context, name string) (Volume, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	v, err := c.api().VolumeInspect(ctx, name)
	if err != nil {
		return Volume{}, fmt.Errorf("inspect volume %q: %w", name, translate(err))
	}
	return Volume{Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels}, nil
}

// CreateVolume creates a volume. One that exists already stays as it is.
func (c *Client) CreateVolume(ctx context.Context, v Volume) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if _, err := c.api().VolumeCreate(ctx, volume.CreateOptions{Name: v.Name, Driver: v.Driver, DriverOpts: v.Options, Labels: v.Labels}); err != nil {
		return fmt.Errorf("create volume %q: %w", v.Name, translate(err))
	}
	return nil
}

// VolumesByLabel returns the volumes that have a label, sorted by name. With a
// value, the label has that value.
func (c *Client) VolumesByLabel(ctx context.Context, label, value string) ([]Volume, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if value != "" {
		label += "=" + value
	}
	response, err := c.api().VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", label))})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", translate(err))
	}
	volumes := make([]Volume, 0, len(response.Volumes))
	for _, v := range response.Volumes {
		volumes = append(volumes, Volume{Name: v.Name, Driver: v.Driver, Options: v.Options, Labels: v.Labels})
	}
	slices.SortFunc(volumes, func(a, b Volume) int { return strings.Compare(a.Name, b.Name) })
	return volumes, nil
}

// RemoveVolume removes a volume with its data. The error is [ErrNotFound] if it does
// not exist, and [ErrConflict] if a container uses it.
func (c *Client) RemoveVolume(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.api().VolumeRemove(ctx, name, false); err != nil {
		return fmt.Errorf("remove volume %q: %w", name, translate(err))
	}
	return nil
}

// imageVolumes returns the paths of the image's VOLUME, sorted.
func imageVolumes(response image.InspectResponse) []string {
	if response.Config == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(response.Config.Volumes))
}

// anonymousVolumes returns the volumes of a container that have no name of the
// user's, by the path at which they are mounted.
func anonymousVolumes(mounts []container.MountPoint) map[string]string {
	var volumes map[string]string
	for _, m := range mounts {
		if m.Type != mount.TypeVolume || !anonymous.MatchString(m.Name) {
			continue
		}
		if volumes == nil {
			volumes = map[string]string{}
		}
		volumes[path.Clean(m.Destination)] = m.Name
	}
	return volumes
}
