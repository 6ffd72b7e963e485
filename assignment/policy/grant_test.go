package policy

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

// The mounts of paths of the host get the directories that the policy grants for them.
// Volumes get none, and neither does a mount under a policy that grants every path.
func TestGrant(t *testing.T) {
	host := &container.HostConfig{
		Binds: []string{"/srv/web:/web/", "/srv/conf:/conf:rw,rslave", "/srv/x:/ro:ro,z", "data:/data", "/anonymous"},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: "/srv/y", Target: "/y", ReadOnly: true},
			{Type: mount.TypeBind, Source: "/srv/z", Target: "/z", ReadOnly: true, BindOptions: &mount.BindOptions{ReadOnlyNonRecursive: true}},
			{Type: mount.TypeVolume, Source: "cache", Target: "/cache"},
			{Type: mount.TypeTmpfs, Target: "/tmp"},
		},
	}
	write, read := []string{"/srv"}, []string{"/srv", "/etc/ssl:ro"}
	limited := []spec.Granted{
		{Target: "/web", Directories: write},
		{Target: "/conf", Directories: write},
		{Target: "/ro", Directories: read},
		{Target: "/y", Directories: read},
		{Target: "/z", Directories: write},
	}
	for text, want := range map[string][]spec.Granted{
		"host_mounts: [/srv, '/etc/ssl:ro']": limited,
		"host_mounts: [/srv, /]":             nil,
		"host_mounts: [/srv, '/:ro']": {
			{Target: "/web", Directories: write}, {Target: "/conf", Directories: write}, {Target: "/z", Directories: write},
		},
		"host_mounts: true":  nil,
		"host_mounts: false": nil,
		"privileged: false":  nil,
	} {
		a := &spec.Assignment{Containers: []spec.Container{{Name: "a", HostConfig: host}}}
		granted := policy(t, text).Grant(a)
		if diff := cmp.Diff(want, granted.Containers[0].Granted); diff != "" {
			t.Errorf("Grant() under %s (-want +got):\n%s", text, diff)
		}
		if a.Containers[0].Granted != nil {
			t.Errorf("Grant() under %s changed its argument", text)
		}
		if a.Containers[0].Hash() != granted.Containers[0].Hash() {
			t.Errorf("Grant() under %s changed the hash", text)
		}
	}
	if a := (&spec.Assignment{}); (*Policy)(nil).Grant(a) != a {
		t.Error("Grant() without a policy changed the assignment")
	}
}
