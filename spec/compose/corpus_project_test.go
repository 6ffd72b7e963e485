package compose

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/spec"
)

// mountFact is one volume of a container. A pattern of options keeps what the
// Engine is asked for: "ro", "rslave", "Z", "nocopy", "create" and the like.
type mountFact struct {
	Type, Source string
	Options      []string
}

// composeMounts returns the volumes by their paths in the container.
func composeMounts(project *types.Project, s *types.ServiceConfig) map[string]mountFact {
	mounts := map[string]mountFact{}
	for _, from := range s.VolumesFrom {
		name, mode, _ := strings.Cut(from, ":")
		other := project.Services[name]
		for target, volume := range composeMounts(project, &other) {
			if mode == "ro" && !slices.Contains(volume.Options, "ro") {
				volume.Options = append(volume.Options, "ro")
			}
			mounts[target] = volume
		}
	}
	for _, volume := range s.Volumes {
		m := mountFact{Type: volume.Type, Source: volume.Source}
		if declared, found := project.Volumes[volume.Source]; found && volume.Type == types.VolumeTypeVolume {
			m.Source = declared.Name
		}
		option := func(set bool, name string) {
			if set && name != "" {
				m.Options = append(m.Options, name)
			}
		}
		option(volume.ReadOnly, "ro")
		if volume.Type == types.VolumeTypeBind {
			bind := types.ServiceVolumeBind{CreateHostPath: true}
			if volume.Bind != nil {
				bind = *volume.Bind
			}
			option(bool(bind.CreateHostPath), "create")
			option(true, bind.Propagation)
			option(true, bind.SELinux)
		}
		if volume.Volume != nil {
			option(volume.Volume.NoCopy, "nocopy")
			option(volume.Volume.Subpath != "", "subpath="+volume.Volume.Subpath)
		}
		if volume.Tmpfs != nil {
			option(true, fmt.Sprintf("size=%d,mode=%o", volume.Tmpfs.Size, volume.Tmpfs.Mode))
		}
		m.Options = sortedFact(m.Options)
		mounts[path.Clean(volume.Target)] = m
	}
	return mounts
}

func dockhostMounts(host *container.HostConfig) map[string]mountFact {
	mounts := map[string]mountFact{}
	for _, bind := range host.Binds {
		fields := strings.SplitN(bind+"::", ":", 4)
		m := mountFact{Type: types.VolumeTypeVolume, Source: fields[0]}
		for option := range strings.SplitSeq(fields[2], ",") {
			if option != "" && option != "rw" {
				m.Options = append(m.Options, option)
			}
		}
		if path.IsAbs(m.Source) {
			m.Type, m.Options = types.VolumeTypeBind, append(m.Options, "create")
		}
		m.Options = sortedFact(m.Options)
		mounts[fields[1]] = m
	}
	for _, m := range host.Mounts {
		mounts[m.Target] = mountFact{Type: string(m.Type), Source: m.Source, Options: mountOptionFact(m)}
	}
	return mounts
}

func mountOptionFact(m mount.Mount) []string {
	var options []string
	option := func(set bool, name string) {
		if set && name != "" {
			options = append(options, name)
		}
	}
	option(m.ReadOnly, "ro")
	if bind := m.BindOptions; bind != nil {
		option(bind.CreateMountpoint, "create")
		option(true, string(bind.Propagation))
	}
	if volume := m.VolumeOptions; volume != nil {
		option(volume.NoCopy, "nocopy")
		option(volume.Subpath != "", "subpath="+volume.Subpath)
	}
	if tmpfs := m.TmpfsOptions; tmpfs != nil {
		option(true, fmt.Sprintf("size=%d,mode=%o", tmpfs.SizeBytes, tmpfs.Mode))
	}
	return sortedFact(options)
}

// forgetChosenNames leaves out the names of volumes for which the file has none:
// Docker makes one up, and dockhost gives it a stable one.
func forgetChosenNames(want, got facts) {
	chosen, _ := got["volumes"].(map[string]mountFact)
	for target, volume := range want["volumes"].(map[string]mountFact) {
		if m, found := chosen[target]; found && volume.Type == types.VolumeTypeVolume && volume.Source == "" {
			m.Source = ""
			chosen[target] = m
		}
	}
}

// endpointFact is a container in one network.
type endpointFact struct {
	Aliases         []string
	IPv4, IPv6      string
	MAC             string
	DriverOpts      map[string]string
	GatewayPriority int
}

// composeEndpoints returns the networks of a service by their names at the Engine,
// or its network mode. The aliases hold the names under which others find it.
// A project of one service that says nothing of networks stays on Docker's
// default bridge, which is what dockhost does and Compose does not.
func composeEndpoints(project *types.Project, s *types.ServiceConfig) any {
	if s.NetworkMode != "" {
		return modeFact(s.NetworkMode)
	}
	if len(project.Services) == 1 && len(s.Networks) == 1 && s.Networks["default"] == nil && project.Networks["default"].Name == project.Name+"_default" {
		return "default"
	}
	endpoints := map[string]endpointFact{}
	for key, config := range s.Networks {
		aliases := []string{s.Name}
		if s.ContainerName != "" {
			aliases = append(aliases, s.ContainerName)
		}
		if config == nil {
			config = &types.ServiceNetworkConfig{}
		}
		aliases = append(append(aliases, config.Aliases...), composeLinkedAs(project, s, key)...)
		e := endpointFact{Aliases: slices.Compact(sortedFact(aliases)), IPv4: config.Ipv4Address, IPv6: config.Ipv6Address, MAC: config.MacAddress}
		e.DriverOpts, e.GatewayPriority = config.DriverOpts, config.GatewayPriority
		if e.MAC == "" && key == s.NetworksByPriority()[0] {
			e.MAC = s.MacAddress
		}
		endpoints[project.Networks[key].Name] = e
	}
	return endpoints
}

// composeLinkedAs returns the names that links of other services give a service in a
// network.
func composeLinkedAs(project *types.Project, s *types.ServiceConfig, network string) []string {
	var aliases []string
	for _, other := range project.Services {
		if _, shared := other.Networks[network]; !shared {
			continue
		}
		for _, link := range other.Links {
			name, alias, found := strings.Cut(link, ":")
			if name == s.Name && found {
				aliases = append(aliases, alias)
			}
		}
	}
	return aliases
}

func dockhostEndpoints(c *spec.Container) any {
	mode := c.HostConfig.NetworkMode
	if !mode.IsUserDefined() {
		return string(mode)
	}
	endpoints := map[string]endpointFact{}
	if c.Networking == nil {
		return endpoints
	}
	for name, config := range c.Networking.EndpointsConfig {
		aliases := []string{c.Name}
		if name := dockhostContainerName(c); name != "" {
			aliases = append(aliases, name)
		}
		e := endpointFact{MAC: config.MacAddress, DriverOpts: config.DriverOpts, GatewayPriority: config.GwPriority}
		e.Aliases = slices.Compact(sortedFact(append(aliases, config.Aliases...)))
		if config.IPAMConfig != nil {
			e.IPv4, e.IPv6 = config.IPAMConfig.IPv4Address, config.IPAMConfig.IPv6Address
		}
		endpoints[name] = e
	}
	return endpoints
}

// composeDependencies returns what a service waits for, by name.
func composeDependencies(s *types.ServiceConfig) facts {
	dependencies := facts{}
	for name, dependency := range s.DependsOn {
		if name == joined(s.NetworkMode) || name == joined(s.Pid) || name == joined(s.Ipc) {
			dependencies[name] = "joined"
			continue
		}
		words := []string{dependency.Condition}
		if dependency.Restart && !impliedDependency(s, name) {
			words = append(words, "restart")
		}
		dependencies[name] = strings.Join(words, " ")
	}
	return dependencies
}

// impliedDependency reports whether Compose itself adds the dependency, for a link or for
// volumes_from, and then restarts the dependant too.
func impliedDependency(s *types.ServiceConfig, name string) bool {
	return slices.ContainsFunc(slices.Concat(s.Links, s.VolumesFrom), func(other string) bool {
		other, _, _ = strings.Cut(other, ":")
		return other == name
	})
}

func dockhostDependencies(c *spec.Container) facts {
	dependencies := facts{}
	for _, dependency := range c.DependsOn {
		if dependency.Joined {
			dependencies[dependency.Name] = "joined"
			continue
		}
		dependencies[dependency.Name] = dockhostCondition(dependency)
	}
	return dependencies
}

// fileFact is a secret or a configuration in a container.
type fileFact struct{ Content, UID, GID, Mode string }

func composeSecrets(project *types.Project, s *types.ServiceConfig) map[string]fileFact {
	files := map[string]fileFact{}
	for _, secret := range s.Secrets {
		files[composeFilePath(types.FileReferenceConfig(secret), "/run/secrets/")] = composeFileFact(project, types.FileReferenceConfig(secret), types.FileObjectConfig(project.Secrets[secret.Source]))
	}
	return files
}

func composeConfigs(project *types.Project, s *types.ServiceConfig) map[string]fileFact {
	files := map[string]fileFact{}
	for _, config := range s.Configs {
		files[composeFilePath(types.FileReferenceConfig(config), "/")] = composeFileFact(project, types.FileReferenceConfig(config), types.FileObjectConfig(project.Configs[config.Source]))
	}
	return files
}

func composeFilePath(reference types.FileReferenceConfig, dir string) string {
	switch {
	case path.IsAbs(reference.Target):
		return reference.Target
	case reference.Target != "":
		return dir + reference.Target
	}
	return dir + reference.Source
}

func composeHooks(hooks []types.ServiceHook) []facts {
	var list []facts
	for _, hook := range hooks {
		list = append(list, facts{
			"command": hook.Command, "user": hook.User, "privileged": hook.Privileged, "working_dir": hook.WorkingDir, "environment": variableFact(hook.Environment),
		})
	}
	return list
}
