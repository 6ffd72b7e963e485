package compose

import (
	"slices"
	"testing"

	"github.com/dockhost/dockhost/spec"
)

func TestProjectName(t *testing.T) {
	for file, want := range map[string]string{
		"shop.yaml": "shop", "/etc/dockhost/containers/My Shop.yml": "myshop", "a.b.yaml": "ab", "_x-1.yaml": "x-1", "..yaml": "default",
	} {
		if got := ProjectName(file); got != want {
			t.Errorf("ProjectName(%q) = %q, want %q", file, got, want)
		}
	}
}

// Other containers join a container by the name that it has in Docker.
func TestContainerName(t *testing.T) {
	assignment, err := parseFile(t, `
services:
  vpn: {image: vpn, container_name: tunnel}
  a1: {image: app, network_mode: "service:vpn"}
  a2: {image: app, network_mode: "container:tunnel"}
`)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range assignment.Containers[:2] {
		joined := slices.ContainsFunc(c.DependsOn, func(d spec.Dependency) bool { return d.Name == "vpn" && d.Joined })
		if c.HostConfig.NetworkMode != "container:tunnel" || !joined {
			t.Errorf("%s has network %s and depends on %+v, want the container of vpn", c.Name, c.HostConfig.NetworkMode, c.DependsOn)
		}
	}
	if vpn := assignment.Containers[2]; vpn.Name != "vpn" || vpn.DockerName() != "tunnel" || vpn.HostConfig.NetworkMode != "web_default" {
		t.Errorf("vpn = %+v, want it called tunnel, on web_default", vpn)
	}
}

// User data has plain names, unless it names its project.
func TestUserDataProject(t *testing.T) {
	const services = "  containers:\n    web: {image: nginx, volumes: ['data:/data'], networks: [default, back]}\n  networks: {back: {}}\n"
	for text, want := range map[string][]string{
		"dockhost:\n" + services:                                 {"back", "data:/data:rw", spec.DefaultNetwork},
		"dockhost:\n  name: shop\n" + services:                   {"shop_back", "shop_data:/data:rw", "shop_default"},
		"dockhost:\n  volumes: {data: {name: old}}\n" + services: {"back", spec.DefaultNetwork, "old:/data:rw"},
	} {
		assignment, err := parse(t, text)
		if err != nil {
			t.Fatal(err)
		}
		c := assignment.Containers[0]
		got := slices.Clone(c.HostConfig.Binds)
		for _, n := range c.Networks {
			got = append(got, n.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", text, got, want)
		}
	}
}
