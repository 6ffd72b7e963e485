package spec

import (
	"regexp"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

func TestVolumeName(t *testing.T) {
	tests := map[string]struct{ container, path, want string }{
		"a database":            {"db", "/var/lib/postgresql/data", "db__var_lib_postgresql_data"},
		"a path that ends in /": {"db", "/data/", "db__data"},
		"dots and dashes":       {"db", "/srv/a.b-c", "db__srv_a.b-c"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := VolumeName(test.container, test.path); got != test.want {
				t.Errorf("VolumeName(%q, %q) = %q, want %q", test.container, test.path, got, test.want)
			}
		})
	}
}

// What is different has different names, which Docker takes.
func TestVolumeNamesDiffer(t *testing.T) {
	docker := regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,254}$`)
	paths := []string{"/a/b", "/a_b", "/a b", "/a", "/b", "/a/b/c", "/_b", "/a:b", "/ä", "/ö", "/" + strings.Repeat("x", 250), "/" + strings.Repeat("x", 251)}
	owner := map[string]string{}
	for _, name := range []string{"aa", "aa_", "aa__a", "aa_a", "aa_a_b", strings.Repeat("n", maxName)} {
		for _, path := range paths {
			got := VolumeName(name, path)
			if !docker.MatchString(got) {
				t.Errorf("VolumeName(%q, %q) = %q, which Docker refuses", name, path, got)
			}
			if other, taken := owner[got]; taken {
				t.Errorf("VolumeName(%q, %q) = %q, which is the name for %s", name, path, got, other)
			}
			owner[got] = name + " at " + path
		}
	}
}

func TestAnonymousVolumes(t *testing.T) {
	c := Container{
		Config: &container.Config{Volumes: map[string]struct{}{"/run-v/": {}, "/bound": {}}},
		HostConfig: &container.HostConfig{
			Binds: []string{"/srv:/bound:ro", "named:/named"},
			Tmpfs: map[string]string{"/tmp": ""},
			Mounts: []mount.Mount{
				{Type: mount.TypeVolume, Target: "/declared"},
				{Type: mount.TypeVolume, Source: "other", Target: "/other"},
				{Type: mount.TypeBind, Source: "/x", Target: "/bind"},
			},
		},
	}
	got := c.AnonymousVolumes([]string{"/image", "/others", "/named", "/tmp", "/bind", "/other", "/declared"}, "/others/")
	if diff := cmp.Diff([]string{"/declared", "/image", "/run-v"}, got); diff != "" {
		t.Errorf("anonymous volumes (-want +got):\n%s", diff)
	}
}

func TestNameVolumes(t *testing.T) {
	config := &container.Config{Volumes: map[string]struct{}{"/run-v/": {}, "/kept": {}}}
	host := &container.HostConfig{Mounts: []mount.Mount{
		{Type: mount.TypeVolume, Target: "/declared", ReadOnly: true, VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{"a": "b"}}},
	}}
	name := func(path string) string {
		if path == "/kept" {
			return ""
		}
		return VolumeName("db", path)
	}
	labels := func(path string) map[string]string { return map[string]string{LabelVolumePath: path} }
	newConfig, newHost := NameVolumes(config, host, []string{"/declared", "/kept", "/run-v"}, name, labels)
	want := []mount.Mount{
		{
			Type: mount.TypeVolume, Source: "db__declared", Target: "/declared", ReadOnly: true,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true, Labels: map[string]string{"a": "b", LabelVolumePath: "/declared"}},
		},
		{Type: mount.TypeVolume, Source: "db__run-v", Target: "/run-v", VolumeOptions: &mount.VolumeOptions{Labels: labels("/run-v")}},
	}
	if diff := cmp.Diff(want, newHost.Mounts); diff != "" {
		t.Errorf("mounts (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]struct{}{"/kept": {}}, newConfig.Volumes); diff != "" {
		t.Errorf("volumes (-want +got):\n%s", diff)
	}
	if len(config.Volumes) != 2 || host.Mounts[0].Source != "" || len(host.Mounts[0].VolumeOptions.Labels) != 1 {
		t.Error("the declaration was changed")
	}
}
