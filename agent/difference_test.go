package agent

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"

	"github.com/dockhost/dockhost/spec"
)

// What differs is told by key. No value of a variable, a label or a secret is told.
func TestDifference(t *testing.T) {
	const secret = "hunter2"
	declared := func(change func(c *spec.Container)) *spec.Container {
		c := &spec.Container{
			Name: "web", Image: "shop:1.4", Files: []spec.File{{}},
			Config:     &container.Config{Image: "shop:1.4", Env: []string{"A=1", "B=" + secret}},
			HostConfig: &container.HostConfig{},
		}
		change(c)
		return c
	}
	tests := []struct {
		name   string
		change func(c *spec.Container)
		want   string
	}{
		{"nothing", func(*spec.Container) {}, ""},
		{"a tag", func(c *spec.Container) { c.Image, c.Config.Image = "shop:1.5", "shop:1.5" }, "image 1.4 to 1.5"},
		{"a repository", func(c *spec.Container) { c.Image = "registry:5000/shop" }, "image shop:1.4 to registry:5000/shop"},
		{"a pin", func(c *spec.Container) { c.Pin = &spec.Pin{ID: "sha256:1"} }, "another image of shop:1.4"},
		{
			"image and environment", func(c *spec.Container) {
				c.Image, c.Config.Env = "shop:1.5", []string{"B=" + secret + "2", "C=" + secret}
			},
			"image 1.4 to 1.5, environment (A, B, C) changed",
		},
		{
			"several keys", func(c *spec.Container) {
				c.Config.Cmd, c.Config.Labels, c.HostConfig.Memory = []string{secret}, map[string]string{"a": secret}, 1<<20
			}, "command, labels, mem_limit changed",
		},
		{"a damaged declaration", func(c *spec.Container) { *c = spec.Container{Image: c.Image, Files: c.Files, Name: c.Name} }, "the file with its declaration was damaged"},
		{"ports", func(c *spec.Container) {
			c.Config.ExposedPorts = nat.PortSet{"80/tcp": {}}
			c.HostConfig.Binds = []string{"/a:/b"}
		}, "ports, volumes changed"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := difference(declared(func(*spec.Container) {}), declared(test.change))
			if got != test.want || strings.Contains(got, secret) {
				t.Errorf("difference() = %q, want %q", got, test.want)
			}
		})
	}
}
