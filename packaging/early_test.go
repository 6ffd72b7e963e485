package packaging

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// dockerUnit has the relevant lines of Docker's unit.
const dockerUnit = `[Unit]
After=network-online.target nss-lookup.target docker.socket firewalld.service containerd.service time-set.target
Wants=network-online.target containerd.service
Requires=docker.socket

[Service]
ExecStart=/usr/sbin/dockerd -H fd:// --label=After=network.target
`

// generate runs dockhost-early-generator on a host with these files, and returns
// the files that it writes, by name.
func generate(t *testing.T, host map[string]string) map[string]string {
	t.Helper()
	root, out := t.TempDir(), t.TempDir()
	for name, text := range host {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "generators/dockhost-early-generator", out, out, out)
	cmd.Env = append(os.Environ(), "DOCKHOST_ROOT="+root)
	if text, err := cmd.CombinedOutput(); err != nil || len(text) > 0 {
		t.Fatalf("dockhost-early-generator: %v: %s", err, text)
	}
	return written(t, out)
}

func written(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, dir+"/")] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestEarlyGeneratorIsOff(t *testing.T) {
	host := map[string]string{"usr/lib/systemd/system/docker.service": dockerUnit, "proc/cmdline": "root=/dev/vda dockhost.earlier quiet\n"}
	if got := generate(t, host); len(got) > 0 {
		t.Errorf("nobody asked for it, and it wrote %v", got)
	}
}

func TestEarlyGenerator(t *testing.T) {
	for name, asked := range map[string]map[string]string{
		"file":                {"etc/dockhost/early-boot": ""},
		"kernel command line": {"proc/cmdline": "root=/dev/vda dockhost.early quiet\n"},
	} {
		t.Run(name, func(t *testing.T) {
			asked["usr/lib/systemd/system/docker.service"] = dockerUnit
			got := generate(t, asked)
			want := strings.ReplaceAll(dockerUnit, "=network-online.target ", "= ")
			if unit := got["docker.service"]; !strings.HasSuffix(unit, want) {
				t.Errorf("docker.service = %s, want it to end in %s", unit, want)
			}
			if unit, ok := got["containerd.service"]; ok {
				t.Errorf("the host has no containerd.service, and got %s", unit)
			}
			for _, unit := range []string{"docker.socket", "docker.service", "containerd.service", "dockhost.socket", "dockhost.service", "dockhost@.service"} {
				if text := got[unit+".d/10-dockhost-early.conf"]; !strings.Contains(text, "DefaultDependencies=no\nConflicts=shutdown.target\n") {
					t.Errorf("drop-in of %s = %q", unit, text)
				}
			}
			for _, wait := range []string{"network.target", "systemd-networkd-wait-online.service", "NetworkManager-wait-online.service", "networking.service"} {
				if text := got["dockhost@.service.d/10-dockhost-early.conf"]; !strings.Contains(text, wait) {
					t.Errorf("drop-in of dockhost@.service = %q, want %s in it", text, wait)
				}
			}
		})
	}
}

// TestUnitsCanBeEarly checks that dockhost's units have no After= that the
// generator cannot remove and that waits for basic.target.
func TestUnitsCanBeEarly(t *testing.T) {
	for _, name := range []string{"dockhost.service", "dockhost.socket", "dockhost@.service"} {
		text, err := os.ReadFile("../systemd/units/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			for _, late := range []string{"dbus.", "basic.target", "sysinit.target", "network", "cloud-"} {
				if strings.HasPrefix(line, "After=") && strings.Contains(line, late) {
					t.Errorf("%s: %s waits for %s", name, strings.TrimSpace(line), late)
				}
			}
		}
	}
}
