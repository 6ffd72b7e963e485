package policy

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/beneath"
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
// bind mounts, and the files that it names, have to be each time a container starts:
// containers may change links in them at any time. It does not change a.
func (p *Policy) Grant(a *spec.Assignment) *spec.Assignment {
	if p == nil {
		return a
	}
	granted := *a
	granted.Containers = slices.Clone(a.Containers)
	for i := range granted.Containers {
		p.grant(&granted.Containers[i])
	}
	granted.Registries = maps.Clone(a.Registries)
	for host, login := range granted.Registries {
		login.PasswordGrants = nil
		if login.PasswordFile != "" {
			login.PasswordGrants = p.files("password_files")
		}
		granted.Registries[host] = login
	}
	return &granted
}

// grant adds to a container what the policy grants to it.
func (p *Policy) grant(c *spec.Container) {
	c.Granted, c.EnvGrants, c.FileGrants = nil, nil, nil
	for _, b := range hostBinds(c.HostConfig) {
		if directories, limited := p.directories(b.readOnly); limited {
			c.Granted = append(c.Granted, spec.Granted{Target: path.Clean(b.target), Directories: directories})
		}
	}
	if len(c.EnvFiles) > 0 {
		c.EnvGrants = p.files("env_files")
	}
	if slices.ContainsFunc(c.Files, func(f spec.File) bool { return f.Path != "" }) {
		c.FileGrants = p.files("secret_files")
	}
}

// files returns where a rule grants files, nil for everywhere.
func (p *Policy) files(rule string) *beneath.Grants {
	entries := p.rules[rule].entries
	isAll := func(entry string) bool { return strings.TrimSuffix(entry, readOnlySuffix) == "/" }
	if len(entries) == 0 || slices.ContainsFunc(entries, isAll) {
		return nil
	}
	writable, _ := p.directories(false)
	return &beneath.Grants{Rule: rule, Entries: entries, Writable: writable}
}

// directories returns the entries of host_mounts for a mount, and false if the rule does not
// limit it: it is not there, or grants the whole host.
func (p *Policy) directories(readOnly bool) (entries []string, limited bool) {
	all := p.rules["host_mounts"].entries
	if len(all) == 0 {
		return nil, false
	}
	for _, entry := range all {
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
