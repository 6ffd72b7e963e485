package compose

import (
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/dockhost/dockhost/internal/document"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/docker/go-connections/nat"
)

const maxPort = 65535

// published is a host port that a container uses.
type published struct {
	at       spot
	protocol string
	// ip is the declared address; "" means every IPv4 and IPv6 address.
	ip   string
	port uint64
}

// ports returns the exposed and the published ports. Each item is read on its
// own, because it may be a range of ports.
func (d *declaration) ports() (nat.PortSet, nat.PortMap) {
	at := d.field("ports")
	d.checkPublishing(at)
	exposed, bindings := nat.PortSet{}, nat.PortMap{}
	for item := range d.items("ports") {
		for _, config := range d.portConfigs(item) {
			port := nat.Port(strconv.FormatUint(uint64(config.Target), 10) + "/" + config.Protocol)
			exposed[port] = struct{}{}
			bindings[port] = append(bindings[port], nat.PortBinding{HostIP: config.HostIP, HostPort: config.Published})
		}
	}
	if len(exposed) == 0 {
		return nil, nil
	}
	return exposed, bindings
}

// checkPublishing reports ports of a container that has no network of its own.
func (d *declaration) checkPublishing(at spot) {
	if len(d.service.Ports) == 0 {
		return
	}
	mode := d.service.NetworkMode
	switch {
	case mode == "host":
		d.Errorf(at, "cannot publish ports with network_mode: host: the container already uses the host's ports (remove ports)")
	case mode == "none":
		d.Errorf(at, "cannot publish ports with network_mode: none: the container has no network (remove ports)")
	case joined(mode) != "":
		d.Errorf(at, "cannot publish ports with network_mode: %s: publish them in that container", document.Shorten(mode))
	}
}

// portConfigs reads one item: a string, a number or a mapping.
func (d *declaration) portConfigs(item spot) []types.ServicePortConfig {
	if !item.IsMapping() {
		configs, err := types.ParsePortConfig(item.Text())
		if err != nil {
			d.Errorf(item, "%s", portSentence(item))
			return nil
		}
		for i := range configs {
			d.checkPort(item, &configs[i])
		}
		return configs
	}
	target, err := strconv.ParseUint(item.Field("target").Text(), 10, 32)
	if err != nil || target == 0 {
		d.Errorf(item.Field("target"), "no port: write the port in the container, from 1 to %d", maxPort)
		return nil
	}
	config := types.ServicePortConfig{
		Target:    uint32(target),
		Published: item.Field("published").Text(),
		HostIP:    item.Field("host_ip").Text(),
		Protocol:  strings.ToLower(item.Field("protocol").Text()),
	}
	if config.Protocol == "" {
		config.Protocol = "tcp"
	}
	d.checkPort(item, &config)
	return []types.ServicePortConfig{config}
}

// checkPort reports problems of a port, and records the host port.
func (d *declaration) checkPort(at spot, config *types.ServicePortConfig) {
	if config.Target > maxPort {
		d.Errorf(at, "cannot use port %d: highest is %d", config.Target, maxPort)
	}
	switch config.Protocol {
	case "tcp", "udp", "sctp":
	default:
		d.Errorf(at, "unknown protocol %q: use tcp, udp or sctp", document.Shorten(config.Protocol))
	}
	config.HostIP = strings.Trim(config.HostIP, "[]")
	if config.HostIP != "" {
		if _, err := netip.ParseAddr(config.HostIP); err != nil {
			d.Errorf(at, "cannot use %q as an address of the host: write an IP address", document.Shorten(config.HostIP))
		}
	}
	first, last, err := nat.ParsePortRange(config.Published)
	switch {
	case config.Published == "":
		return
	case err != nil:
		d.Errorf(at, "%s", sentenceFor(config.Published))
	case first == last && first > 0: // from a range, Docker chooses a free port
		d.published = append(d.published, published{at: at, protocol: config.Protocol, ip: config.HostIP, port: first})
	}
}

var number = regexp.MustCompile(`[0-9]+`)

// portSentence describes the problem of an item that cannot be read.
func portSentence(at spot) string {
	if at.IsMapping() {
		return "not a port: write target: and published:, with numbers"
	}
	if at.IsList() {
		return "Compose refuses these ports: remove duplicates"
	}
	return sentenceFor(at.Text())
}

func sentenceFor(text string) string {
	// The numbers in an address are small, so a larger number is a port.
	for _, digits := range number.FindAllString(text, -1) {
		if n, err := strconv.Atoi(digits); err != nil || n > maxPort {
			return "cannot use port " + document.Shorten(digits) + ": highest is " + strconv.Itoa(maxPort)
		}
	}
	return "cannot use " + strconv.Quote(document.Shorten(text)) + " as a port: write [[HOST_IP:]HOST_PORT:]CONTAINER_PORT[/udp]"
}
