package engine

import (
	"slices"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

func TestPublishedPorts(t *testing.T) {
	settings := &container.NetworkSettings{}
	settings.Ports = nat.PortMap{
		"443/tcp": {{HostIP: "127.0.0.1", HostPort: "8443"}},
		"80/tcp":  {{HostIP: "0.0.0.0", HostPort: "8080"}, {HostIP: "::", HostPort: "8080"}, {HostIP: "::1", HostPort: "8081"}},
		"53/udp":  {{HostPort: "53"}},
		"9/tcp":   nil,
	}
	want := []string{"53->53/udp", "8080->80/tcp", "[::1]:8081->80/tcp", "127.0.0.1:8443->443/tcp"}
	if got := publishedPorts(settings); !slices.Equal(got, want) {
		t.Errorf("publishedPorts() = %v, want %v", got, want)
	}
	if got := publishedPorts(nil); got != nil {
		t.Errorf("publishedPorts(nil) = %v, want none", got)
	}
}
