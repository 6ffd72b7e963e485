package update

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/dockhost/dockhost/spec"
)

func TestCollisions(t *testing.T) {
	tests := []struct {
		name   string
		change func(*spec.Container)
		want   []string
	}{
		{"plain", func(*spec.Container) {}, nil},
		{"name", func(c *spec.Container) { c.ContainerName = "db" }, []string{"container_name can be used once"}},
		{"host network", func(c *spec.Container) { c.HostConfig.NetworkMode = "host" }, []string{"both would listen on the ports of network_mode: host"}},
		{"joined", func(c *spec.Container) { c.HostConfig.NetworkMode = "container:vpn" }, []string{"both would listen on the ports of network_mode: container:vpn"}},
		{"ports", func(c *spec.Container) {
			c.HostConfig.PortBindings = nat.PortMap{"1/tcp": {{}, {HostPort: "0"}, {HostPort: "80"}, {HostPort: "8000-8010"}, {HostPort: "81-81"}}}
		}, []string{"port 80 of the host can be published once", "port 81-81 of the host can be published once"}},
		{"addresses", func(c *spec.Container) {
			c.Networking = &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{
				"a": {IPAMConfig: &network.EndpointIPAMConfig{IPv6Address: "fd00::5"}},
				"b": {MacAddress: "02:00:00:00:00:01"}, "c": {IPAMConfig: &network.EndpointIPAMConfig{}}, "d": nil,
			}}
		}, []string{"the address fd00::5 in the network a can be used once", "the address 02:00:00:00:00:01 in the network b can be used once"}},
		{"mounts", func(c *spec.Container) {
			c.HostConfig.Binds = []string{"/srv:/srv", "/etc:/etc:ro", "data:/data:rw,z", "conf:/conf:z,ro"}
			c.HostConfig.Mounts = []mount.Mount{
				{Type: mount.TypeTmpfs, Target: "/tmp"},
				{Type: mount.TypeVolume, Target: "/anonymous"},
				{Type: mount.TypeBind, Source: "/opt", Target: "/opt", ReadOnly: true},
			}
			c.Config.Volumes = map[string]struct{}{"/image": {}}
		}, []string{"both would write to /srv", "both would write to the volume data", "both would write to the volume at /anonymous", "both would write to the volume at /image"}},
		{"devices", func(c *spec.Container) {
			c.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: "/dev/fuse"}}
			c.GPU = &spec.GPUNeeds{Exclusive: true}
		}, []string{"both would use the device /dev/fuse", "x-dockhost.gpu is exclusive"}},
		{"shared GPU", func(c *spec.Container) { c.GPU = &spec.GPUNeeds{} }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := &spec.Container{HostConfig: &container.HostConfig{}, Config: &container.Config{}}
			test.change(c)
			if diff := cmp.Diff(test.want, Collisions(c)); diff != "" {
				t.Errorf("Collisions() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestContended(t *testing.T) {
	web := func(change func(*spec.Container)) *spec.Container {
		c := &spec.Container{Name: "web", HostConfig: &container.HostConfig{}, Config: &container.Config{}}
		change(c)
		return c
	}
	tests := []struct {
		name       string
		old, other func(*spec.Container)
		want       []string
	}{
		{"nothing", func(c *spec.Container) {
			c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeVolume, Target: "/anonymous"}}
			c.HostConfig.PortBindings = nat.PortMap{"1/tcp": {{HostPort: "80"}}}
		}, func(c *spec.Container) {
			c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeVolume, Target: "/anonymous"}}
			c.HostConfig.PortBindings = nat.PortMap{"1/tcp": {{HostPort: "81"}}}
		}, nil},
		{"the name for Docker", func(*spec.Container) {}, func(c *spec.Container) { c.ContainerName = "web" }, []string{"the name web can be used once"}},
		{"a port and a volume", func(c *spec.Container) {
			c.HostConfig.Binds = []string{"data:/data"}
			c.HostConfig.PortBindings = nat.PortMap{"1/tcp": {{HostPort: "80"}}}
		}, func(c *spec.Container) {
			c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: "data", Target: "/var"}}
			c.HostConfig.PortBindings = nat.PortMap{"2/tcp": {{HostPort: "80"}}}
		}, []string{"port 80 of the host can be published once", "both would write to the volume data"}},
		{
			"directories in one another", func(c *spec.Container) {
				c.HostConfig.Binds = []string{"/srv/:/a", "/var/lib/db:/b", "/opt:/c", "/etc/x:/d"}
			},
			func(c *spec.Container) {
				c.HostConfig.Binds = []string{"/srv/data:/a", "/var/lib:/b", "/opt2:/c", "/etc/x:/d", "/:/e:ro", "srv:/f"}
			},
			[]string{"both would write to /etc/x", "both would write to /srv/data", "both would write to /var/lib/db"},
		},
		{
			"a GPU", func(c *spec.Container) { c.GPU = &spec.GPUNeeds{Exclusive: true} },
			func(c *spec.Container) { c.GPU = &spec.GPUNeeds{} },
			[]string{"x-dockhost.gpu is exclusive"},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			other := web(test.other)
			other.Name = "site"
			if diff := cmp.Diff(test.want, Contended(web(test.old), other), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("Contended() (-want +got):\n%s", diff)
			}
		})
	}
}
