package spec

import (
	"path"
	"slices"

	"github.com/docker/docker/api/types/mount"
)

// VolumesFrom is another container whose volumes a container mounts. Those that are
// declared are among the container's own mounts. The VOLUME of the other one's image is
// known on the host only.
type VolumesFrom struct {
	Container string `json:"container"`
	Image     string `json:"image"`
	ReadOnly  bool   `json:"read_only,omitempty"`
	// Hidden are the paths at which the other container mounts memory.
	Hidden []string `json:"hidden,omitempty"`
}

// InheritedVolumes returns the mounts for the VOLUME of the image of another container.
// As in Docker, the declared mounts of the container come before them.
func (c *Container) InheritedVolumes(from VolumesFrom, image []string) []mount.Mount {
	taken, anonymous := c.targets()
	var mounts []mount.Mount
	for _, target := range image {
		target = path.Clean(target)
		if taken[target] || anonymous[target] || slices.Contains(from.Hidden, target) {
			continue
		}
		mounts = append(mounts, mount.Mount{
			Type: mount.TypeVolume, Source: VolumeName(from.Container, target), Target: target, ReadOnly: from.ReadOnly,
			VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{LabelVolumeContainer: from.Container, LabelVolumePath: target}},
		})
	}
	return mounts
}
