package compose

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"

	"github.com/dockhost/dockhost/spec"
)

// hostPort is a port of the host in one address family.
type hostPort struct {
	protocol string
	port     uint64
	ipv4     bool
}

// publishers are the containers that publish a hostPort. They find an overlap
// without comparing an address with all others.
type publishers struct {
	// first is the first container, at any address. everywhere is the first one that
	// publishes at every address. at has the first one at one address.
	first, everywhere string
	at                map[netip.Addr]string
}

// checkPorts reports host ports that are published twice.
func (r *report) checkPorts(declared []*declaration) {
	all := map[hostPort]*publishers{}
	for _, d := range declared {
		for _, p := range d.published {
			if by := publish(all, p, d.name); by != "" {
				r.Errorf(p.at, "port %d/%s of the host is already used by container %q", p.port, p.protocol, by)
			}
		}
	}
}

// publish records a port of a container, and returns the container that published
// it before, or "".
func publish(all map[hostPort]*publishers, p published, name string) (by string) {
	var address netip.Addr // not valid: every address
	families := []bool{true, false}
	if p.ip != "" {
		parsed, err := netip.ParseAddr(p.ip)
		if err != nil {
			return "" // checkPort reports it
		}
		address = parsed.Unmap()
		families = []bool{address.Is4()}
		if address.IsUnspecified() {
			address = netip.Addr{}
		}
	}
	for _, ipv4 := range families {
		port := hostPort{p.protocol, p.port, ipv4}
		if all[port] == nil {
			all[port] = &publishers{at: map[netip.Addr]string{}}
		}
		if other := all[port].add(address, name); by == "" {
			by = other
		}
	}
	return by
}

// add records a container, and returns the one that it overlaps with, or "".
func (p *publishers) add(address netip.Addr, name string) (by string) {
	switch {
	case !address.IsValid():
		by = p.first
		p.everywhere = cmp.Or(p.everywhere, name)
	default:
		by = cmp.Or(p.everywhere, p.at[address])
		p.at[address] = cmp.Or(p.at[address], name)
	}
	p.first = cmp.Or(p.first, name)
	return by
}

// HostPorts finds ports of the host that two containers publish.
type HostPorts map[hostPort]*publishers

// Add records the ports of a container. It returns a port that another container
// publishes, such as "8080/tcp", and the name of that one, or "".
func (h HostPorts) Add(c *spec.Container) (port, by string) {
	for _, target := range slices.Sorted(maps.Keys(c.HostConfig.PortBindings)) {
		for _, binding := range c.HostConfig.PortBindings[target] {
			number, err := strconv.ParseUint(binding.HostPort, 10, 16)
			if err != nil || number == 0 {
				continue // in a range Docker chooses a free port
			}
			other := publish(h, published{protocol: target.Proto(), ip: binding.HostIP, port: number}, c.Name)
			if by == "" && other != "" && other != c.Name {
				port, by = binding.HostPort+"/"+target.Proto(), other
			}
		}
	}
	return port, by
}
