package engine

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types"
)

// Usage is what the Engine's things take on its disk, in bytes.
type Usage struct {
	// Layers are those of all images, Cache is build cache.
	Layers, Cache int64
	// Containers are what containers wrote into their own file systems, and
	// Volumes what lies in volumes, by name.
	Containers, Volumes map[string]int64
}

// Usage asks what takes how much. The Engine walks through all that containers
// and volumes hold: this may take minutes.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.DiskUsage(ctx, types.DiskUsageOptions{})
	if err != nil {
		return Usage{}, fmt.Errorf("ask Docker what takes its disk: %w", translate(err))
	}
	usage := Usage{Layers: found.LayersSize, Containers: map[string]int64{}, Volumes: map[string]int64{}}
	for _, one := range found.Containers {
		if len(one.Names) > 0 {
			usage.Containers[trimName(one.Names[0])] = one.SizeRw
		}
	}
	for _, one := range found.Volumes {
		if one.UsageData != nil {
			usage.Volumes[one.Name] = max(one.UsageData.Size, 0)
		}
	}
	for _, one := range found.BuildCache {
		if !one.Shared {
			usage.Cache += one.Size
		}
	}
	return usage, nil
}
