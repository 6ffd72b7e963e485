package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/assignment/policy"
	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/spec"
)

// mounting returns an assignment of a container that mounts a path of the host.
func mounting(t *testing.T, source string) *spec.Assignment {
	t.Helper()
	text := "#cloud-config\ndockhost: {containers: {web: {image: nginx, volumes: ['" + source + ":/x']}}}\n"
	result, err := assignment.Parse(t.Context(), &cloudinit.UserData{Path: "user-data", Raw: []byte(text)}, assignment.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return result.Assignment
}

func TestLoadPolicy(t *testing.T) {
	root := t.TempDir()
	if p, err := loadPolicy(root); p != nil || err != nil {
		t.Errorf("loadPolicy() without a policy = %v, %v, want nil, nil", p, err)
	}
	path := filepath.Join(root, policy.Path)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if p, err := loadPolicy(root); p != nil || err == nil {
		t.Errorf("loadPolicy() of a directory = %v, %v, want an error", p, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("default: deny\n# "+strings.Repeat("x", maxPolicySize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if p, err := loadPolicy(root); p != nil || err == nil {
		t.Errorf("loadPolicy() of a huge file = %v, %v, want an error", p, err)
	}
}

// A symbolic link is judged by its target, even if that does not exist yet.
func TestPolicyFollowsSymlinks(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"/srv/app", "/etc/dockhost", "/run"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{
		"/srv/etc": "../etc", "/srv/later": "/not/there", "/srv/inside": "/srv/app", "/srv/loop": "/srv/loop", "/var": "/run", "/data": "srv",
	} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, policy.Path), []byte("host_mounts: [/data, /var/lib]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := loadPolicy(root)
	if err != nil {
		t.Fatal(err)
	}
	for source, allowed := range map[string]bool{
		"/srv/app": true, "/srv/inside/x": true, "/srv/new/dir": true, "/data/app": true, "/run/lib/x": true, "/var/lib/x": true,
		"/srv/etc": false, "/srv/etc/passwd": false, "/srv/later/x": false, "/srv/loop/x": false, "/data/etc": false, "/var": false,
	} {
		err := p.Check(mounting(t, source))
		if (err == nil) != allowed {
			t.Errorf("a mount of %s: %v, want allowed %v", source, err, allowed)
		}
	}
	// The kernel follows a link before "..", Docker cleans a source first.
	for name, want := range map[string]string{
		"/srv/inside/../x": "/srv/x", "/srv/etc/../run": "/run", "/data/../etc": "/etc", "/": "/", "/srv/loop": "/", "/a/../../b": "/b",
	} {
		if got := followLinks(root, name); got != want {
			t.Errorf("followLinks(%q) = %q, want %q", name, got, want)
		}
	}
}
