package agent

import (
	"cmp"
	"slices"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// ulimits returns the limits that this host gives to containers without their own. Without
// a valid configuration they are those of what was accepted before, so that a mistake in
// the file restarts no container.
func (c *configuration) ulimits(before *accepted) []*container.Ulimit {
	valid, _ := c.get()
	switch {
	case valid != nil:
		return valid.Ulimits
	case before != nil:
		return before.Ulimits
	}
	return nil
}

// addUlimits adds the limits that a container does not set itself. It changes no list of
// another container.
func addUlimits(c *spec.Container, defaults []*container.Ulimit) {
	if c.HostConfig == nil {
		return
	}
	limits := slices.Clone(c.HostConfig.Ulimits)
	for _, limit := range defaults {
		if !slices.ContainsFunc(limits, func(own *container.Ulimit) bool { return own.Name == limit.Name }) {
			limits = append(limits, limit)
		}
	}
	if len(limits) == len(c.HostConfig.Ulimits) {
		return
	}
	slices.SortFunc(limits, func(a, b *container.Ulimit) int { return cmp.Compare(a.Name, b.Name) })
	host := *c.HostConfig
	host.Ulimits = limits
	c.HostConfig = &host
}
