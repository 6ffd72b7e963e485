package supervisor

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/spec"
)

// Missing sources are created where Docker would create them, and never out of the grant.
func TestMakeSources(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/srv", "/etc"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(root, "srv/link")); err != nil {
		t.Fatal(err)
	}
	c := &spec.Container{HostConfig: &container.HostConfig{
		Binds: []string{"/srv/short/a:/a:ro", "/srv/link/planted:/b", "/other:/free"},
		Mounts: []mount.Mount{
			{Type: mount.TypeBind, Source: "/srv/long", Target: "/c", BindOptions: &mount.BindOptions{CreateMountpoint: true}},
			{Type: mount.TypeBind, Source: "/srv/never", Target: "/d"},
		},
	}}
	for _, target := range []string{"/a", "/b", "/c", "/d"} {
		c.Granted = append(c.Granted, spec.Granted{Target: target, Directories: []string{"/srv"}})
	}
	err := makeSources(root, c)
	if err == nil || !strings.Contains(err.Error(), `"/srv/link/planted" leads to "/etc/planted"`) {
		t.Errorf("makeSources() = %v, want the link refused", err)
	}
	for path, want := range map[string]bool{"/srv/short/a": true, "/srv/long": true, "/srv/never": false, "/etc/planted": false, "/other": false} {
		if _, err := os.Stat(filepath.Join(root, path)); (err == nil) != want {
			t.Errorf("%s exists = %v, want %v", path, err == nil, want)
		}
	}
	if binds := placedBinds(c.Granted); len(binds) != 4 || binds[1].Target != "/b" || binds[1].Directories[0] != "/srv" {
		t.Errorf("placedBinds() = %+v", binds)
	}
}
