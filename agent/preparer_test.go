package agent

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/spec"
)

// What the successor lacks on the host is found out before the old container is
// stopped. Once it is there, the successor replaces it.
func TestMissingNeedsKeepContainer(t *testing.T) {
	missing := filepath.Join("/nonexistent", "path")
	tests := []struct {
		name    string
		change  func(h *testHost, c *spec.Container)
		problem string
		cure    func(h *testHost)
	}{
		{"platform", func(h *testHost, _ *spec.Container) {
			h.engine.platforms = map[string]string{"nginx:2": "linux/s390x"}
		}, `image "nginx:2" is for linux/s390x, and this host is linux/`, func(h *testHost) { h.engine.platforms = nil }},
		{"runtime", func(_ *testHost, c *spec.Container) { c.Runtime = "crunch" }, `runtime "crunch" is neither`, func(h *testHost) {
			h.engine.runtimes["crunch"] = "/usr/bin/crunch"
		}},
		{"env file", func(_ *testHost, c *spec.Container) {
			c.EnvFiles = []spec.EnvFile{{Path: missing, Required: true}}
		}, "read env_file: open " + missing, nil},
		{"credential", func(_ *testHost, c *spec.Container) {
			c.Files = []spec.File{{Target: "/run/secrets/key", Credential: "shop.key"}}
		}, `the host has no credential "shop.key"`, func(h *testHost) { h.write("/etc/credstore/shop.key", "x") }},
		{"device", func(_ *testHost, c *spec.Container) {
			c.HostConfig.Devices = []container.DeviceMapping{{PathOnHost: missing}}
		}, "the host has no device", nil},
		{"directory", func(_ *testHost, c *spec.Container) {
			c.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: missing, Target: "/x"}}
		}, "create_host_path: true", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTestHost(t)
				h.engine.images["nginx:1"], h.engine.images["nginx:2"] = true, true
				a := h.agent()
				h.declare(a, local("web", "nginx:1"))
				next := local("web", "nginx:2")
				test.change(h, next)
				if err := a.declare(t.Context(), next); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				h.wantRunning(map[string]int{"web": 1})
				if p := pendingOf(a, "web"); !strings.Contains(p.Error, test.problem) {
					t.Errorf("pending = %+v, want %s", p, test.problem)
				}
				if test.cure != nil {
					h.engine.set(func() { test.cure(h) })
					time.Sleep(10 * time.Minute)
					h.wantRunning(map[string]int{"web": 2})
				}
				a.updates.stop()
			})
		})
	}
}
