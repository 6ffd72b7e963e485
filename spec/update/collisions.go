package update

import (
	"cmp"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// Collisions returns what keeps a second container of a declaration from running beside
// the first, a phrase for each. It does not know the volumes that the image declares:
// [spec.Container.AnonymousVolumes] does.
func Collisions(c *spec.Container) []string {
	var reasons []string
	if c.ContainerName != "" {
		reasons = append(reasons, "container_name can be used once")
	}
	reasons = append(reasons, used(c)...)
	if c.GPU != nil && c.GPU.Exclusive {
		reasons = append(reasons, "x-dockhost.gpu is exclusive")
	}
	return append(reasons, anonymous(c)...)
}

// Contended returns what two containers cannot both have, a phrase for each.
func Contended(a, b *spec.Container) []string {
	var reasons []string
	if name := dockerName(a); name == dockerName(b) {
		reasons = append(reasons, "the name "+name+" can be used once")
	}
	if a.GPU != nil && b.GPU != nil && (a.GPU.Exclusive || b.GPU.Exclusive) {
		reasons = append(reasons, "x-dockhost.gpu is exclusive")
	}
	if a.HostConfig == nil || b.HostConfig == nil {
		return reasons
	}
	others := used(b)
	reasons = append(reasons, slices.DeleteFunc(used(a), func(reason string) bool { return !slices.Contains(others, reason) })...)
	return append(reasons, nested(written(a), written(b))...)
}

// nested returns the paths of either list that lie below one of the other list, a phrase for
// each.
func nested(a, b []string) []string {
	var reasons []string
	for _, one := range a {
		for _, other := range b {
			switch {
			case below(one, other):
				reasons = append(reasons, bothWrite(one))
			case below(other, one):
				reasons = append(reasons, bothWrite(other))
			}
		}
	}
	return reasons
}

// below reports whether a path of the host lies below another one.
func below(name, parent string) bool {
	return path.IsAbs(parent) && name != parent && strings.HasPrefix(name, strings.TrimSuffix(parent, "/")+"/")
}

// dockerName returns the name that the container has for Docker.
func dockerName(c *spec.Container) string { return cmp.Or(c.ContainerName, c.Name) }

// used returns what the container uses that no other one can use at the same time, a
// phrase for each.
func used(c *spec.Container) []string {
	var reasons []string
	host := c.HostConfig
	if host.NetworkMode.IsHost() || host.NetworkMode.IsContainer() {
		reasons = append(reasons, "both would listen on the ports of network_mode: "+string(host.NetworkMode))
	}
	for _, port := range slices.Sorted(maps.Keys(host.PortBindings)) {
		for _, binding := range host.PortBindings[port] {
			if isFixed(binding.HostPort) {
				reasons = append(reasons, "port "+binding.HostPort+" of the host can be published once")
			}
		}
	}
	reasons = append(reasons, addresses(c)...)
	for _, source := range written(c) {
		reasons = append(reasons, bothWrite(source))
	}
	for _, device := range host.Devices {
		reasons = append(reasons, "both would use the device "+document.Shorten(device.PathOnHost))
	}
	return reasons
}

// isFixed reports whether a host port is one port. Docker chooses one of a range, and
// any port for "" and 0.
func isFixed(port string) bool {
	first, last, isRange := strings.Cut(port, "-")
	return first != "" && first != "0" && (!isRange || first == last)
}

// addresses returns the fixed addresses of a container.
func addresses(c *spec.Container) []string {
	if c.Networking == nil {
		return nil
	}
	var reasons []string
	for _, name := range slices.Sorted(maps.Keys(c.Networking.EndpointsConfig)) {
		endpoint := c.Networking.EndpointsConfig[name]
		if endpoint == nil {
			continue
		}
		address := endpoint.MacAddress
		if ipam := endpoint.IPAMConfig; ipam != nil {
			address = cmp.Or(ipam.IPv4Address, ipam.IPv6Address, address)
		}
		if address != "" {
			reasons = append(reasons, "the address "+address+" in the network "+name+" can be used once")
		}
	}
	return reasons
}

// written returns the named volumes and the directories of the host that the container may
// write to.
func written(c *spec.Container) []string {
	var sources []string
	for _, text := range c.HostConfig.Binds {
		if bind := spec.ParseBind(text); !bind.ReadOnly() {
			sources = append(sources, bind.Source)
		}
	}
	for _, m := range c.HostConfig.Mounts {
		if !m.ReadOnly && (m.Type == mount.TypeBind || m.Type == mount.TypeVolume) {
			sources = append(sources, m.Source)
		}
	}
	// Without a source it is a volume of its own.
	sources = slices.DeleteFunc(sources, func(source string) bool { return source == "" })
	for i := range sources {
		sources[i] = path.Clean(sources[i])
	}
	return sources
}

// bothWrite is the phrase for a volume or a directory that two containers would write to.
func bothWrite(source string) string {
	if path.IsAbs(source) {
		return "both would write to " + document.Shorten(source)
	}
	return "both would write to the volume " + source
}

// anonymous returns the volumes without a name that the declaration has. They belong to the
// container, so that a second one of the same declaration has the same.
func anonymous(c *spec.Container) []string {
	var targets []string
	for _, m := range c.HostConfig.Mounts {
		if !m.ReadOnly && m.Type == mount.TypeVolume && m.Source == "" {
			targets = append(targets, m.Target)
		}
	}
	targets = append(targets, slices.Sorted(maps.Keys(volumesOf(c.Config)))...)
	for i, target := range targets {
		targets[i] = "both would write to the volume at " + document.Shorten(target)
	}
	return targets
}

func volumesOf(config *container.Config) map[string]struct{} {
	if config == nil {
		return nil
	}
	return config.Volumes
}
