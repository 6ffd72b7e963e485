package compose

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

const (
	servicePrefix   = "service:"
	containerPrefix = "container:"
)

// joined returns the container whose namespace a mode joins, or "".
func joined(mode string) string {
	for _, prefix := range []string{servicePrefix, containerPrefix} {
		if name, found := strings.CutPrefix(mode, prefix); found {
			return name
		}
	}
	return ""
}

// engineMode returns a mode in Docker's words: a service is a container.
func engineMode(mode string) string {
	if name, found := strings.CutPrefix(mode, servicePrefix); found {
		return containerPrefix + name
	}
	return mode
}

// engineMode is [engineMode] with the name that the service's container has in
// Docker.
func (d *declaration) engineMode(mode string) string {
	if name, found := strings.CutPrefix(mode, servicePrefix); found {
		if name := d.project.containerNames[name]; name != "" {
			return containerPrefix + name
		}
	}
	return engineMode(mode)
}

// applyNamespaces sets the container's namespaces.
func (d *declaration) applyNamespaces(host *container.HostConfig) {
	s := &d.service
	host.NetworkMode = container.NetworkMode(d.engineMode(s.NetworkMode))
	host.IpcMode = container.IpcMode(d.engineMode(s.Ipc))
	host.PidMode = container.PidMode(d.engineMode(s.Pid))
	host.UTSMode = container.UTSMode(s.Uts)
	host.UsernsMode = container.UsernsMode(s.UserNSMode)
	host.CgroupnsMode = container.CgroupnsMode(s.Cgroup)
	switch {
	case host.NetworkMode != "":
	case len(d.endpoints) > 0:
		host.NetworkMode = container.NetworkMode(d.endpoints[0].network.Name)
	default:
		host.NetworkMode = network.NetworkDefault
	}
	d.checkNamespace("ipc", s.Ipc, host.IpcMode.Valid(), "private, shareable, host, none, container:NAME or service:NAME")
	d.checkNamespace("pid", s.Pid, host.PidMode.Valid(), "host, container:NAME or service:NAME")
	d.checkNamespace("uts", s.Uts, host.UTSMode.Valid(), "host, or leave it out")
	d.checkNamespace("userns_mode", s.UserNSMode, host.UsernsMode.Valid(), "host, or leave it out")
	d.checkNamespace("cgroup", s.Cgroup, host.CgroupnsMode.Valid(), "private or host")
	d.checkNetwork(host.NetworkMode)
}

func (d *declaration) checkNamespace(key, mode string, valid bool, choice string) {
	if !valid || strings.HasSuffix(mode, ":") {
		d.Errorf(d.field(key), "cannot use %q: use %s", document.Shorten(mode), choice)
		return
	}
	d.linkNamespace(key, mode)
}

// linkNamespace adds a dependency on the container whose namespace is joined.
func (d *declaration) linkNamespace(key, mode string) {
	name := joined(mode)
	if name == "" {
		return
	}
	if strings.HasPrefix(mode, containerPrefix) {
		for service, container := range d.project.containerNames {
			if container == name {
				name = service
				break
			}
		}
	}
	d.links = append(d.links, link{
		at: d.field(key), name: name, joined: true,
		// container:NAME may be a container that dockhost does not run.
		optional: strings.HasPrefix(mode, containerPrefix),
	})
}

// checkNetwork reports settings that Docker refuses when a container joins the
// network of another one (runconfig/hostconfig_unix.go, validateNetMode).
func (d *declaration) checkNetwork(mode container.NetworkMode) {
	at, s := d.field("network_mode"), &d.service
	name := string(mode)
	if joined(name) == "" {
		if strings.HasSuffix(name, ":") || mode.IsUserDefined() && !volumeName.MatchString(name) {
			d.Errorf(at, "cannot use %q: use bridge, none, host, container:NAME, service:NAME or the name of an existing network", document.Shorten(s.NetworkMode))
		}
	}
	d.linkNamespace("network_mode", s.NetworkMode)
	if s.Uts == "host" && s.Hostname != "" {
		d.Errorf(d.field("hostname"), "cannot be set with uts: host: the container has the name of the host")
	}
	if !mode.IsContainer() {
		return
	}
	for _, key := range []string{"hostname", "dns", "dns_opt", "dns_search", "extra_hosts"} {
		if field := d.field(key); field.Present() && !field.IsNull() {
			d.Errorf(field, "cannot be set with network_mode: %s: set it in that container", document.Shorten(s.NetworkMode))
		}
	}
}

func (d *declaration) dns() []string {
	for i, server := range d.service.DNS {
		if _, err := netip.ParseAddr(server); err != nil {
			d.Errorf(d.entry("dns", i, len(d.service.DNS)), "cannot use %q as a DNS server: write an IP address", document.Shorten(server))
		}
	}
	return d.service.DNS
}

// extraHosts returns "host:ip", sorted.
func (d *declaration) extraHosts() []string {
	hosts := d.service.ExtraHosts.AsList(":")
	if len(hosts) == 0 {
		return nil
	}
	slices.Sort(hosts)
	for _, host := range hosts {
		name, ip, _ := strings.Cut(host, ":")
		if _, err := netip.ParseAddr(ip); err != nil && ip != "host-gateway" {
			d.Errorf(d.field("extra_hosts"), "cannot use %q as the address of %q: write an IP address or host-gateway", document.Shorten(ip), document.Shorten(name))
		}
	}
	return hosts
}
