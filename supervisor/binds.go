package supervisor

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// makeSources creates the missing sources of the binds that the policy limits, where
// Docker would create them. Docker would follow links out of the directories that the
// policy grants.
func makeSources(root string, c *spec.Container) error {
	var errs []error
	for _, g := range c.Granted {
		if source := createdSource(c, g.Target); source != "" {
			if err := beneath.Make(root, source, beneath.HostMounts(g.Directories)); err != nil {
				errs = append(errs, fmt.Errorf("mount at %q: %w", g.Target, err))
			}
		}
	}
	return errors.Join(errs...)
}

// createdSource returns the source of a bind if Docker would create it; "" otherwise.
func createdSource(c *spec.Container, target string) string {
	for _, text := range c.HostConfig.Binds {
		if bind := spec.ParseBind(text); bind.Target != "" && path.Clean(bind.Target) == target {
			return path.Clean(bind.Source)
		}
	}
	i := slices.IndexFunc(c.HostConfig.Mounts, func(m mount.Mount) bool { return path.Clean(m.Target) == target })
	if i < 0 {
		return ""
	}
	if m := c.HostConfig.Mounts[i]; m.BindOptions != nil && m.BindOptions.CreateMountpoint {
		return path.Clean(m.Source)
	}
	return ""
}

// placedBinds returns what dockhost-runtime has to know of the binds that the policy
// limits.
func placedBinds(granted []spec.Granted) []placement.Bind {
	var binds []placement.Bind
	for _, g := range granted {
		binds = append(binds, placement.Bind{Target: g.Target, Directories: g.Directories})
	}
	return binds
}
