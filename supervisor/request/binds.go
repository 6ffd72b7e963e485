package request

import (
	"path"
	"slices"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/spec"
)

// grantedBinds moves the binds that a policy limits to the host's Mounts: for one of its
// Binds, Docker follows the links of the source, and creates the directories that are
// missing there. A bind with an option that Mounts have no word for stays.
func grantedBinds(host *container.HostConfig, granted []spec.Granted) {
	if len(granted) == 0 {
		return
	}
	var kept []string
	var mounts []mount.Mount
	for _, bind := range host.Binds {
		if m, ok := longBind(bind); ok && slices.ContainsFunc(granted, func(g spec.Granted) bool { return g.Target == path.Clean(m.Target) }) {
			mounts = append(mounts, m)
			continue
		}
		kept = append(kept, bind)
	}
	host.Binds, host.Mounts = kept, append(mounts, host.Mounts...)
	for i := range host.Mounts {
		m := &host.Mounts[i]
		if m.Type == mount.TypeBind && m.BindOptions != nil && slices.ContainsFunc(granted, func(g spec.Granted) bool { return g.Target == path.Clean(m.Target) }) {
			options := *m.BindOptions
			options.CreateMountpoint = false // the supervisor has created it
			m.BindOptions = &options
		}
	}
}

// longBind returns a bind in the form of HostConfig.Mounts.
func longBind(bind string) (mount.Mount, bool) {
	b := spec.ParseBind(bind)
	if b.Target == "" || !path.IsAbs(b.Source) {
		return mount.Mount{}, false
	}
	m := mount.Mount{Type: mount.TypeBind, Source: path.Clean(b.Source), Target: b.Target}
	for _, option := range b.Options {
		switch option {
		case "rw", "", "consistent", "cached", "delegated":
		case "ro":
			m.ReadOnly = true
		case "private", "rprivate", "shared", "rshared", "slave", "rslave":
			m.BindOptions = &mount.BindOptions{Propagation: mount.Propagation(option)}
		default:
			return mount.Mount{}, false
		}
	}
	return m, true
}
