package compose

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/internal/document"
	"github.com/dockhost/dockhost/spec"
)

// defaultKey is Compose's key for the network of the services that name none.
const defaultKey = "default"

// networkKeys are the keys of a network.
func networkKeys() document.Keys {
	pool := document.Only("aux_addresses", "gateway", "ip_range", "subnet")
	return document.Only("attachable", "driver", "driver_opts", "enable_ipv6", "external", "internal", "labels", "name").
		With("ipam", document.Only("driver", "options").With("config", document.ListOf(pool)))
}

// readNetworks reads the section networks of a project.
func (p *project) readNetworks(section spot) map[string]spec.Network {
	networks := map[string]spec.Network{}
	entries := p.entries(section, "networks", "such as front:", networkKeys())
	loaded, err := loadProject(map[string]any{"networks": plainEntries(entries)})
	if err != nil { // each of them was loaded alone
		p.Errorf(section, "%s", foreign(err))
		return networks
	}
	for _, key := range sorted(entries) {
		at, n := entries[key], loaded.Networks[key]
		made := p.network(at, key, &n)
		if key != defaultKey {
			networks[key] = made
		} else if !at.IsNull() {
			p.setDefaultNetwork(made)
		}
	}
	return networks
}

func (p *project) network(at spot, key string, n *types.NetworkConfig) spec.Network {
	if driver := n.Driver; driver != "" && driver != "bridge" {
		p.Errorf(at.Field("driver"), "cannot use the driver %q: use bridge, or create the network yourself with docker network create and declare it with external: true", document.Shorten(driver))
	}
	name := cmp.Or(n.Name, p.networkName(key))
	if n.External {
		p.checkExternal(at)
		name = cmp.Or(n.Name, key)
	}
	if !container.NetworkMode(name).IsUserDefined() {
		p.Errorf(at, "%q is one of Docker's own networks: use network_mode: %s", name, name)
	} else if !volumeName.MatchString(name) {
		p.Errorf(placeOfName(at), "cannot use %q as the name of a network: use at least 2 letters, digits, \"_\", \".\" and \"-\"", document.Shorten(name))
	}
	if n.External {
		return spec.Network{Name: name, External: true}
	}
	return spec.Network{
		Name: name, Internal: n.Internal, Attachable: n.Attachable, EnableIPv6: n.EnableIPv6 != nil && *n.EnableIPv6,
		IPAM: p.ipam(at.Field("ipam"), &n.Ipam), Options: n.DriverOpts, Labels: p.labels(n.Labels, spec.LabelNetwork, key),
	}
}

// ipam returns the address pools of a network, or nil.
func (p *project) ipam(at spot, declared *types.IPAMConfig) *network.IPAM {
	if declared.Driver == "" && len(declared.Config) == 0 {
		return nil
	}
	if declared.Driver != "" && declared.Driver != "default" {
		p.Errorf(at.Field("driver"), "cannot use the driver %q: use default, or leave it out", document.Shorten(declared.Driver))
	}
	ipam := &network.IPAM{Driver: declared.Driver}
	for i, item := range at.Field("config").Items() {
		pool := declared.Config[i]
		p.checkPool(item, pool)
		ipam.Config = append(ipam.Config, network.IPAMConfig{
			Subnet: pool.Subnet, IPRange: pool.IPRange, Gateway: pool.Gateway, AuxAddress: pool.AuxiliaryAddresses,
		})
	}
	return ipam
}

// checkPool reports what Docker would refuse only after the old container is stopped.
func (p *project) checkPool(at spot, pool *types.IPAMPool) {
	subnet, err := netip.ParsePrefix(pool.Subnet)
	if pool.Subnet != "" && err != nil {
		p.Errorf(at.Field("subnet"), "cannot use %q as a subnet: write one such as 172.28.0.0/16", document.Shorten(pool.Subnet))
		return
	}
	if _, err := netip.ParsePrefix(pool.IPRange); pool.IPRange != "" && err != nil {
		p.Errorf(at.Field("ip_range"), "cannot use %q as a range: write one such as 172.28.5.0/24", document.Shorten(pool.IPRange))
	}
	gateway, err := netip.ParseAddr(pool.Gateway)
	if pool.Gateway != "" && (err != nil || pool.Subnet != "" && !subnet.Masked().Contains(gateway)) {
		p.Errorf(at.Field("gateway"), "cannot use %q as a gateway: write an address in the subnet", document.Shorten(pool.Gateway))
	}
}

// networkName is the name in Docker of a network that has no name of its own.
func (p *project) networkName(key string) string {
	if p.name == "" && key == defaultKey {
		return spec.DefaultNetwork
	}
	return p.objectName(key)
}

// setDefaultNetwork sets the network of the services that name none.
func (p *project) setDefaultNetwork(n spec.Network) {
	if n.Name == "" {
		n.Name, n.Labels = p.networkName(defaultKey), p.labels(nil, spec.LabelNetwork, defaultKey)
	}
	p.defaultNetwork = &n
}

// networkNamed returns the network of a key.
func (p *project) networkNamed(key string) (spec.Network, bool) {
	if key == defaultKey {
		if p.defaultNetwork == nil {
			p.setDefaultNetwork(spec.Network{})
		}
		return *p.defaultNetwork, true
	}
	n, declared := p.networks[key]
	return n, declared
}

// endpoint is a container in one network.
type endpoint struct {
	key      string
	network  spec.Network
	priority int
	settings *network.EndpointSettings
}

// joinNetworks returns the networks of the container, the one with the highest
// priority first, as Compose orders them.
func (d *declaration) joinNetworks() []endpoint {
	s, at := &d.service, d.field("networks")
	if s.NetworkMode != "" {
		d.refuseNetworks()
		return nil
	}
	wanted := s.Networks
	if len(wanted) == 0 {
		if d.project.defaultNetwork == nil && s.MacAddress == "" {
			return nil
		}
		wanted = map[string]*types.ServiceNetworkConfig{defaultKey: nil}
	}
	var endpoints []endpoint
	for _, key := range sorted(wanted) {
		config := wanted[key]
		n, declared := d.project.networkNamed(key)
		place := d.networkSpot(at, key)
		if !declared {
			d.project.undeclared(place, "network", key, sorted(d.project.networks))
			continue
		}
		if slices.ContainsFunc(endpoints, func(e endpoint) bool { return e.network.Name == n.Name }) {
			d.Errorf(place, "the network %q stands here twice: leave out one of its keys", document.Shorten(n.Name))
		}
		if config == nil {
			config = &types.ServiceNetworkConfig{}
		}
		endpoints = append(endpoints, endpoint{key: key, network: n, priority: config.Priority, settings: d.settings(place, config)})
	}
	slices.SortFunc(endpoints, func(a, b endpoint) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.key, b.key))
	})
	if mac := s.MacAddress; mac != "" && len(endpoints) > 0 {
		d.checkMAC(d.field("mac_address"), mac)
		endpoints[0].settings.MacAddress = cmp.Or(endpoints[0].settings.MacAddress, mac)
	}
	return endpoints
}

// networkSpot returns the place of a network in the list or mapping of a service.
func (d *declaration) networkSpot(at spot, key string) spot {
	for _, item := range at.Items() {
		if item.Text() == key {
			return item
		}
	}
	if field := at.Field(key); field.Present() {
		return field
	}
	return at
}

// refuseNetworks reports keys that need a network of the project.
func (d *declaration) refuseNetworks() {
	for _, key := range []string{"networks", "links", "mac_address"} {
		if field := d.field(key); field.Present() && !field.IsNull() {
			d.Errorf(field, "cannot be set with network_mode: leave out one of them")
		}
	}
}

// settings returns the container's settings in a network.
func (d *declaration) settings(at spot, config *types.ServiceNetworkConfig) *network.EndpointSettings {
	settings := &network.EndpointSettings{
		Aliases: withAlias(nil, append([]string{d.name}, config.Aliases...)...), MacAddress: config.MacAddress,
		DriverOpts: config.DriverOpts, GwPriority: config.GatewayPriority,
	}
	d.checkMAC(at.Field("mac_address"), config.MacAddress)
	for i, text := range append([]string{config.Ipv4Address, config.Ipv6Address}, config.LinkLocalIPs...) {
		address, err := netip.ParseAddr(text)
		if text != "" && (err != nil || i == 0 && !address.Is4() || i == 1 && address.Is4()) {
			d.Errorf(at, "cannot use %q as an address of the container: write an IP address", document.Shorten(text))
		}
	}
	if config.Ipv4Address != "" || config.Ipv6Address != "" || len(config.LinkLocalIPs) > 0 {
		settings.IPAMConfig = &network.EndpointIPAMConfig{
			IPv4Address: config.Ipv4Address, IPv6Address: config.Ipv6Address, LinkLocalIPs: config.LinkLocalIPs,
		}
	}
	return settings
}

func (d *declaration) checkMAC(at spot, text string) {
	if _, err := net.ParseMAC(text); text != "" && err != nil {
		d.Errorf(at, "cannot use %q as a MAC address: write one such as 02:42:ac:11:00:02", document.Shorten(text))
	}
}

// withAlias adds names that are not in the list.
func withAlias(aliases []string, names ...string) []string {
	for _, name := range names {
		if !slices.Contains(aliases, name) {
			aliases = append(aliases, name)
		}
	}
	return aliases
}

// addLinks adds the names under which links find other services, and the
// dependencies on these.
func (d *declaration) addLinks(declared []*declaration) {
	for i, text := range d.service.Links {
		at := d.entry("links", i, len(d.service.Links))
		name, alias, renamed := strings.Cut(text, ":")
		d.links = append(d.links, link{at: at, name: name})
		i := slices.IndexFunc(declared, func(other *declaration) bool { return other.name == name })
		if i < 0 {
			continue // checkLinks reports it
		}
		shared := false
		for _, e := range declared[i].endpoints {
			if slices.ContainsFunc(d.endpoints, func(own endpoint) bool { return own.network.Name == e.network.Name }) {
				shared = true
				if renamed {
					e.settings.Aliases = withAlias(e.settings.Aliases, alias)
				}
			}
		}
		if !shared && len(d.endpoints) > 0 {
			d.Errorf(at, "%q is on none of this service's networks: write the same network in both", document.Shorten(name))
		}
	}
}

// networking returns the endpoints of the container, and the networks that they
// need. Both are nil if HostConfig.NetworkMode is enough.
func (d *declaration) networking(mode container.NetworkMode) (*network.NetworkingConfig, []spec.Network) {
	if !mode.IsUserDefined() {
		return nil, nil
	}
	config := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	if len(d.endpoints) == 0 {
		config.EndpointsConfig[mode.NetworkName()] = &network.EndpointSettings{}
		return config, nil
	}
	var networks []spec.Network
	for _, e := range d.endpoints {
		config.EndpointsConfig[e.network.Name] = e.settings
		networks = append(networks, e.network)
	}
	slices.SortFunc(networks, func(a, b spec.Network) int { return cmp.Compare(a.Name, b.Name) })
	return config, networks
}
