package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/supervisor/placement"
)

// grantTree makes a host with a granted directory, in which a container has made a link.
func grantTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for _, dir := range []string{"srv/web/html", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"srv/web/html/index": "hello", "srv/web/conf": "conf", "etc/shadow": "secret"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc", filepath.Join(root, "srv/web/swapped")); err != nil {
		t.Fatal(err)
	}
	return root
}

// A source that is not in the grant any more, and a mount that Docker does not have, fail
// the start, all at once. Without binds nothing changes.
func TestOpenBindsRefuses(t *testing.T) {
	root := grantTree(t)
	const config = `{"mounts": [{"destination": "/html", "source": "/srv/web/swapped"}, {"destination": "/none", "source": "/srv/web/none"}, {"destination": "/bare"}]}`
	srv := []string{"/srv"}
	_, _, err := openBinds(root, []byte(config), []placement.Bind{
		{Target: "/html", Directories: srv}, {Target: "/none", Directories: srv}, {Target: "/other", Directories: srv}, {Target: "/bare", Directories: srv},
	})
	if err == nil {
		t.Fatal("openBinds() = nil, want an error")
	}
	for _, want := range []string{
		`mount at "/html": "/srv/web/swapped" leads to "/etc", which is not in a directory that the policy grants (host_mounts: [/srv])`,
		`mount at "/none": the host has no "/srv/web/none"`, `mount at "/other": not in Docker's configuration`, `mount at "/bare": source`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("openBinds() = %q, want %q", err, want)
		}
	}
	same, sources, err := openBinds(root, []byte(config), nil)
	if string(same) != config || sources != nil || err != nil {
		t.Errorf("openBinds() without binds = %s, %v, %v", same, sources, err)
	}
}

// A program in the new mount namespace finds what the sources were when they were opened,
// whatever replaces them afterwards. The host has no mount of it.
func TestMountBinds(t *testing.T) {
	if err := unix.Access("/proc/self/ns/mnt", unix.R_OK); err != nil || os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	root, dir := grantTree(t), filepath.Join(t.TempDir(), "binds")
	config, sources, err := openBinds(root, []byte(`{"mounts": [
		{"destination": "/proc", "type": "proc", "source": "proc"},
		{"destination": "/html/", "type": "bind", "source": "/srv/web/html", "options": ["rbind", "ro"]},
		{"destination": "/conf", "type": "bind", "source": "/srv/web/conf"}]}`),
		[]placement.Bind{{Target: "/conf", Directories: []string{"/srv"}}, {Target: "/html", Directories: []string{"/srv"}}})
	if errors.Is(err, unix.EPERM) {
		t.Skip("needs CAP_SYS_ADMIN")
	}
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Mounts []struct {
			Destination, Source string
			Options             []string
		}
	}
	if err := json.Unmarshal(config, &got); err != nil {
		t.Fatal(err)
	}
	if m := got.Mounts; m[0].Source != "proc" || m[1].Source != bindsDir+"/1" || len(m[1].Options) != 2 || m[2].Source != bindsDir+"/0" {
		t.Errorf("openBinds() = %s", config)
	}
	if err := errors.Join(os.Rename(root+"/srv/web/html", root+"/srv/web/old"), os.Rename(root+"/srv/web/swapped", root+"/srv/web/html")); err != nil {
		t.Fatal(err)
	}
	seen := make(chan string)
	go func() { // the thread ends with the goroutine, and its mount namespace with the thread
		err := mountBinds(dir, sources)
		out, runErr := exec.Command("sh", "-c", "cat "+dir+"/0 "+dir+"/1/index; ls "+dir).CombinedOutput()
		seen <- string(out) + errString(errors.Join(err, runErr))
	}()
	if got := <-seen; got != "confhello0\n1\n" {
		t.Errorf("the real runtime sees %q", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the host has %v, %v in %s", left, err, dir)
	}
	if mounts, err := os.ReadFile("/proc/thread-self/mountinfo"); err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("the host has a mount below %s (%v)", dir, err)
	}
}

func errString(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
