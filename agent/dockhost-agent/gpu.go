package main

import (
	"context"
	"errors"

	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

// cgroupRoot is the mount point of the cgroup file systems.
const cgroupRoot = "/sys/fs/cgroup"

// canHaveGPUs says whether a container can have its GPUs. The agent asks before it
// replaces a running container. It may not prepare GPUs itself: where they are not
// prepared, canHaveGPUs returns nil, and the supervisor finds out.
func canHaveGPUs(ctx context.Context, c *spec.Container) error {
	others, err := gpu.Claims(runDir, spec.UnitName(c.Name), cgroupRoot)
	if err != nil {
		return err
	}
	host := gpu.Observed{Machine: gpu.Machine{Root: "/"}}
	_, err = gpu.Attach(ctx, host, c.GPU, others, func(attachment.Message) {})
	if errors.Is(err, gpu.ErrUnprepared) {
		return nil
	}
	return err
}
