package engine

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types"
)

// Usage is the Engine's disk usage in bytes.
type Usage struct {
	// Layers is the size of all images' layers, Cache that of the build cache.
	Layers, Cache int64
	// Containers has what each container wrote into its file system, and Volumes the
	// size of each volume, by name.
	Containers, Volumes map[string]int64
}

// Usage returns the disk usage. The Engine walks through the files of all containers
// and volumes, which may take minutes.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	report, err := c.api().DiskUsage(ctx, types.DiskUsageOptions{})
	if err != nil {
		return Usage{}, fmt.Errorf("ask Docker for its disk usage: %w", translate(err))
	}
	usage := Usage{Layers: report.LayersSize, Containers: map[string]int64{}, Volumes: map[string]int64{}}
	for _, one := range report.Containers {
		if len(one.Names) > 0 {
			usage.Containers[trimName(one.Names[0])] = one.SizeRw
		}
	}
	for _, one := range report.Volumes {
		if one.UsageData != nil {
			usage.Volumes[one.Name] = max(one.UsageData.Size, 0)
		}
	}
	for _, one := range report.BuildCache {
		if !one.Shared {
			usage.Cache += one.Size
		}
	}
	return usage, nil
}
