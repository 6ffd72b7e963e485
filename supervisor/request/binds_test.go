package request

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

// Binds that a policy limits become mounts for which Docker creates nothing. The others,
// and those with an option that only binds have, stay.
func TestGrantedBinds(t *testing.T) {
	declared := container.HostConfig{
		Binds: []string{"/srv/a/:/a", "/srv/b:/b/:ro,rslave", "/srv/c:/c:z", "/srv/d:/d:rw", "data:/data:nocopy"},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: "/srv/e", Target: "/e", BindOptions: &mount.BindOptions{CreateMountpoint: true, NonRecursive: true}},
			{Type: mount.TypeVolume, Source: "v", Target: "/v"},
		},
	}
	host := declared
	grantedBinds(&host, []spec.Granted{{Target: "/a"}, {Target: "/b"}, {Target: "/c"}, {Target: "/e"}})
	want := container.HostConfig{
		Binds: []string{"/srv/c:/c:z", "/srv/d:/d:rw", "data:/data:nocopy"},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: "/srv/a", Target: "/a"},
			{Type: mount.TypeBind, Source: "/srv/b", Target: "/b/", ReadOnly: true, BindOptions: &mount.BindOptions{Propagation: "rslave"}},
			{Type: mount.TypeBind, Source: "/srv/e", Target: "/e", BindOptions: &mount.BindOptions{NonRecursive: true}},
			{Type: mount.TypeVolume, Source: "v", Target: "/v"},
		},
	}
	if diff := cmp.Diff(want, host); diff != "" {
		t.Errorf("grantedBinds() (-want +got):\n%s", diff)
	}
	if !declared.Mounts[0].BindOptions.CreateMountpoint || len(declared.Binds) != 5 {
		t.Errorf("grantedBinds() changed the declaration: %+v", declared)
	}
	host = declared
	grantedBinds(&host, nil)
	if diff := cmp.Diff(declared, host); diff != "" {
		t.Errorf("grantedBinds() without a policy (-want +got):\n%s", diff)
	}
}
