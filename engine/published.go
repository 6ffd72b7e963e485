package engine

import (
	"cmp"
	"net"
	"net/netip"
	"slices"

	"github.com/docker/docker/api/types/container"
)

// publishedPorts returns the ports that a container publishes, in the order of its own
// ports: "8080->80/tcp" on all addresses, "127.0.0.1:8080->80/tcp" on one.
func publishedPorts(settings *container.NetworkSettings) []string {
	if settings == nil {
		return nil
	}
	type published struct {
		inside int
		text   string
	}
	var all []published
	for inside, bindings := range settings.Ports {
		for _, b := range bindings {
			outside := b.HostPort
			// Docker lists 0.0.0.0 and :: apart.
			if address, err := netip.ParseAddr(b.HostIP); err == nil && !address.IsUnspecified() {
				outside = net.JoinHostPort(b.HostIP, b.HostPort)
			}
			all = append(all, published{inside.Int(), outside + "->" + string(inside)})
		}
	}
	slices.SortFunc(all, func(a, b published) int {
		return cmp.Or(cmp.Compare(a.inside, b.inside), cmp.Compare(a.text, b.text))
	})
	var texts []string
	for _, p := range slices.Compact(all) {
		texts = append(texts, p.text)
	}
	return texts
}
