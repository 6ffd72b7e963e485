package spec

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

func TestInheritedVolumes(t *testing.T) {
	c := &Container{Name: "web", Config: &container.Config{Volumes: map[string]struct{}{"/own": {}}}, HostConfig: &container.HostConfig{Binds: []string{"/srv:/bound:rw"}}}
	from := VolumesFrom{Container: "php", ReadOnly: true, Hidden: []string{"/memory"}}
	want := []mount.Mount{{
		Type: mount.TypeVolume, Source: "php__var_www", Target: "/var/www", ReadOnly: true,
		VolumeOptions: &mount.VolumeOptions{Labels: map[string]string{LabelVolumeContainer: "php", LabelVolumePath: "/var/www"}},
	}}
	if diff := cmp.Diff(want, c.InheritedVolumes(from, []string{"/bound", "/memory", "/own", "/var/www/"})); diff != "" {
		t.Errorf("InheritedVolumes() (-want +got):\n%s", diff)
	}
}
