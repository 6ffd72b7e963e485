package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/system"
)

// Images are below containerd's root with its store, wherever that is.
func TestImageRoot(t *testing.T) {
	const host, own = "/run/containerd/containerd.sock", "/var/run/docker/containerd/containerd.sock"
	for name, test := range map[string]struct {
		snapshotter     bool
		address, config string
		dirs            []string
		want            string
	}{
		"Docker's store":            {dirs: []string{"/var/lib/containerd"}, want: "/var/lib/docker"},
		"containerd's":              {snapshotter: true, address: host, dirs: []string{"/var/lib/containerd"}, want: "/var/lib/containerd"},
		"before Docker 27":          {snapshotter: true, dirs: []string{"/var/lib/containerd"}, want: "/var/lib/containerd"},
		"below Docker's":            {snapshotter: true, address: own, dirs: []string{"/var/lib/docker/containerd/daemon", "/var/lib/containerd"}, want: "/var/lib/docker/containerd/daemon"},
		"configured":                {snapshotter: true, address: host, config: "disabled_plugins = [\"cri\"]\n root= '/data/c'\n", dirs: []string{"/data/c"}, want: "/data/c"},
		"a comment":                 {snapshotter: true, address: host, config: "#root = \"/data/c\"\n", dirs: []string{"/data/c", "/var/lib/containerd"}, want: "/var/lib/containerd"},
		"of a table":                {snapshotter: true, address: host, config: "version = 3\n[plugins]\nroot = \"/data/c\"\n", dirs: []string{"/data/c", "/var/lib/containerd"}, want: "/var/lib/containerd"},
		"relative":                  {snapshotter: true, address: host, config: "root = \"c\"\n", dirs: []string{"/var/lib/containerd"}, want: "/var/lib/containerd"},
		"a containerd of elsewhere": {snapshotter: true, address: host, want: "/var/lib/docker"},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := t.TempDir()
			for _, dir := range append(test.dirs, "/etc/containerd") {
				if err := os.MkdirAll(filepath.Join(prefix, dir), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(filepath.Join(prefix, containerdConfig), []byte(test.config), 0o600); err != nil {
				t.Fatal(err)
			}
			info := system.Info{DockerRootDir: "/var/lib/docker"}
			if test.address != "" {
				info.Containerd = &system.ContainerdInfo{Address: test.address}
			}
			if got := imageRoot(prefix, info, test.snapshotter); got != test.want {
				t.Errorf("imageRoot() = %q, want %q", got, test.want)
			}
		})
	}
}
