package policy

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/internal/beneath"
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

// The files that user data names get the entries of their rules, unless these grant all.
func TestGrantFiles(t *testing.T) {
	a := &spec.Assignment{
		Containers: []spec.Container{
			{
				Name: "a", HostConfig: &container.HostConfig{}, EnvFiles: []spec.EnvFile{{Path: "/srv/env"}},
				Files: []spec.File{{Target: "/x", Path: "/etc/app/x"}},
			},
			{Name: "b", HostConfig: &container.HostConfig{}, Files: []spec.File{{Target: "/x", Content: []byte("x")}}},
		},
		Registries: map[string]spec.Registry{"file.test": {PasswordFile: "/etc/password"}, "plain.test": {Password: "x"}},
	}
	const mounts = "host_mounts: [/srv, '/etc:ro']\n"
	grants := func(rule string, writable []string, entries ...string) *beneath.Grants {
		return &beneath.Grants{Rule: rule, Entries: entries, Writable: writable}
	}
	for text, want := range map[string][3]*beneath.Grants{
		mounts + "env_files: [/srv]\nsecret_files: ['/etc/app:ro']\npassword_files: [/etc/password]": {
			grants("env_files", []string{"/srv"}, "/srv"), grants("secret_files", []string{"/srv"}, "/etc/app:ro"), grants("password_files", []string{"/srv"}, "/etc/password"),
		},
		"env_files: [/srv]":                        {grants("env_files", nil, "/srv"), nil, nil},
		"host_mounts: [/]\nenv_files: [/srv]":      {grants("env_files", nil, "/srv"), nil, nil},
		"env_files: [/srv, /]\nsecret_files: true": {},
		"privileged: false":                        {},
	} {
		granted := policy(t, text).Grant(a)
		c := granted.Containers[0]
		if diff := cmp.Diff(want, [3]*beneath.Grants{c.EnvGrants, c.FileGrants, granted.Registries["file.test"].PasswordGrants}); diff != "" {
			t.Errorf("Grant() under %s (-want +got):\n%s", text, diff)
		}
		if b := granted.Containers[1]; b.EnvGrants != nil || b.FileGrants != nil || granted.Registries["plain.test"].PasswordGrants != nil {
			t.Errorf("Grant() under %s granted what nobody asks for: %+v", text, granted)
		}
		if a.Containers[0].EnvGrants != nil || a.Registries["file.test"].PasswordGrants != nil {
			t.Errorf("Grant() under %s changed its argument", text)
		}
		if a.Containers[0].Hash() != c.Hash() {
			t.Errorf("Grant() under %s changed the hash", text)
		}
	}
}
