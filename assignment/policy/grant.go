package policy

import (
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/spec"
)

// bind is a mount of a path of the host, or of a volume.
type bind struct {
	// source is absolute for a path of the host.
	source, target string
	readOnly       bool
}

// shortBind is one of HostConfig.Binds: SOURCE:TARGET[:OPTIONS].
func shortBind(text string) bind {
	b := spec.ParseBind(text)
	return bind{source: b.Source, target: b.Target, readOnly: b.ReadOnly()}
}

// longBind is one of HostConfig.Mounts.
func longBind(m mount.Mount) bind {
	return bind{source: m.Source, target: m.Target, readOnly: m.ReadOnly && (m.BindOptions == nil || !m.BindOptions.ReadOnlyNonRecursive)}
}

// hostBinds are the mounts of paths of the host.
func hostBinds(host *container.HostConfig) []bind {
	var binds []bind
	for _, text := range host.Binds {
		binds = append(binds, shortBind(text))
	}
	for _, m := range host.Mounts {
		if m.Type == mount.TypeBind {
			binds = append(binds, longBind(m))
		}
	}
	return slices.DeleteFunc(binds, func(b bind) bool { return !path.IsAbs(b.source) || b.target == "" })
}

// Grant returns an allowed assignment with the directories in which the sources of its
// bind mounts have to be each time a container starts: containers may change links in
// them at any time. It does not change a.
func (p *Policy) Grant(a *spec.Assignment) *spec.Assignment {
	if p == nil || len(p.rules["host_mounts"].entries) == 0 {
		return a
	}
	granted := *a
	granted.Containers = slices.Clone(a.Containers)
	for i := range granted.Containers {
		c := &granted.Containers[i]
		c.Granted = nil
		for _, b := range hostBinds(c.HostConfig) {
			if directories, limited := p.directories(b.readOnly); limited {
				c.Granted = append(c.Granted, spec.Granted{Target: path.Clean(b.target), Directories: directories})
			}
		}
	}
	return &granted
}

// directories returns the entries of host_mounts for a mount, and false if they are the
// whole host.
func (p *Policy) directories(readOnly bool) (entries []string, limited bool) {
	for _, entry := range p.rules["host_mounts"].entries {
		directory, onlyRead := strings.CutSuffix(entry, readOnlySuffix)
		if onlyRead && !readOnly {
			continue
		}
		if directory == "/" {
			return nil, false
		}
		entries = append(entries, entry)
	}
	return entries, true
}
