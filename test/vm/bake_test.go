//go:build vm

package vm

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	bakeScript = "../../packaging/bake"
	tree       = "../../build/root"
)

// belongings are files that a used host has, and that an image must not have.
var belongings = []string{
	"/var/lib/dockhost/assignment.json", "/var/lib/cloud/instance/user-data.txt", "/var/lib/cloud/seed/nocloud/user-data",
	"/var/lib/docker/volumes/secret/_data/file", "/var/lib/docker/engine-id", "/etc/ssh/ssh_host_ed25519_key",
	"/var/lib/systemd/random-seed", "/var/log/journal/0123/system.journal", "/var/log/cloud-init.log",
	"/etc/netplan/50-cloud-init.yaml",
}

// TestBakeIsRepeatable bakes a used host: it kills bake half way, and bakes twice.
func TestBakeIsRepeatable(t *testing.T) {
	root := t.TempDir()
	run(t, "tar", "-C", root, "-xf", filepath.Join(*image, "base.tar"))
	for _, name := range belongings {
		write(t, root+name, "old")
	}
	write(t, root+"/etc/machine-id", "0123456789abcdef0123456789abcdef\n")
	mounts := mountsBelow(t, root)

	t.Run("killed", func(t *testing.T) {
		cmd := exec.Command("bash", bakeScript, "--tree", tree, root)
		output, err := cmd.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		first := make([]byte, 1)
		if _, err := output.Read(first); err != nil { // bake has begun once it prints
			t.Fatal(err)
		}
		if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		gone(t, root)
		if now := mountsBelow(t, root); !slices.Equal(now, mounts) {
			t.Errorf("mounts left: %q", now)
		}
	})
	for _, name := range []string{"first", "again"} {
		t.Run(name, func(t *testing.T) {
			bake(t, root, "--preload", filepath.Join(*image, "app.tar"))
			gone(t, root)
			if now := mountsBelow(t, root); !slices.Equal(now, mounts) {
				t.Errorf("mounts left: %q", now)
			}
			checkBaked(t, root)
		})
	}
	// A network namespace protects this machine's network if the test fails.
	t.Run("network", func(t *testing.T) {
		script := `ip link set lo up && ip link add docker0 type bridge && ip addr add 172.17.0.1/16 dev docker0 &&
			bash "$@" && ip addr show docker0`
		out, err := exec.Command("unshare", "--net", "bash", "-c", script, "bash", bakeScript, "--tree", tree,
			"--preload", filepath.Join(*image, "app.tar"), root).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "inet 172.17.0.1/16") {
			t.Errorf("bake removed the bridge of the host's Docker: %v: %s", err, out)
		}
	})
	t.Run("without", func(t *testing.T) {
		bake(t, root)
		if _, err := os.Stat(root + "/var/lib/dockhost/preloaded.json"); err == nil {
			t.Error("preloaded.json exists, although no image is preloaded")
		}
	})
}

// TestBakeRefusesWrongArguments checks the errors for wrong arguments.
func TestBakeRefusesWrongArguments(t *testing.T) {
	root := t.TempDir()
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--tree", tree, "/"}, "--this-machine"},
		{[]string{"--tree", tree, root + "/none"}, "no such directory"},
		{[]string{"--tree", tree, root}, "not the root of a Debian"},
		{[]string{"--this-machine", "--tree", tree, root}, "only with /"},
		{[]string{"--preload"}, "needs a value"},
	} {
		out, err := exec.Command("bash", append([]string{bakeScript}, test.args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), test.want) {
			t.Errorf("bake %q = %v, %s; want an error with %q", test.args, err, out, test.want)
		}
	}
}

// bake bakes root with the tree of `make install`.
func bake(t *testing.T, root string, args ...string) {
	t.Helper()
	args = append([]string{bakeScript, "--tree", tree, "--apt-option", "Acquire::Check-Valid-Until=false"}, append(args, root)...)
	if out, err := exec.Command("bash", args...).CombinedOutput(); err != nil {
		t.Fatalf("bake: %v: %s", err, out)
	}
}

// checkBaked checks the files of a baked root.
func checkBaked(t *testing.T, root string) {
	t.Helper()
	for _, name := range append(belongings, "/usr/sbin/policy-rc.d", "/run/dockhost-bake", "/var/lib/docker/network") {
		if _, err := os.Lstat(root + name); err == nil {
			t.Errorf("the image has %s", name)
		}
	}
	if id, err := os.ReadFile(root + "/etc/machine-id"); err != nil || len(id) != 0 {
		t.Errorf("machine-id = %q, %v, want an empty file", id, err)
	}
	record, err := os.ReadFile(root + "/var/lib/dockhost/preloaded.json")
	if err != nil || !strings.Contains(string(record), `"tags":["`+preloaded+`"]`) {
		t.Errorf("preloaded.json = %s, %v, want %s in it", record, err, preloaded)
	}
	daemon, err := os.ReadFile(root + "/etc/docker/daemon.json")
	if err != nil || !strings.Contains(string(daemon), "dockhost-runtime") {
		t.Errorf("daemon.json = %s, %v, want the runtime in it", daemon, err)
	}
	for _, unit := range []string{"multi-user.target.wants/dockhost.service", "sockets.target.wants/dockhost.socket"} {
		if _, err := os.Lstat(root + "/etc/systemd/system/" + unit); err != nil {
			t.Errorf("not enabled: %v", err)
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// gone waits until no process has its root below root.
func gone(t *testing.T, root string) {
	t.Helper()
	var left []string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(100 * time.Millisecond) {
		left = nil
		links, _ := filepath.Glob("/proc/[0-9]*/root")
		for _, link := range links {
			if target, err := os.Readlink(link); err == nil && strings.HasPrefix(target, root) {
				left = append(left, link)
			}
		}
		if left == nil {
			return
		}
	}
	t.Errorf("processes left in %s: %v", root, left)
}

// mountsBelow returns the mounts at and below root.
func mountsBelow(t *testing.T, root string) []string {
	t.Helper()
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var mounts []string
	for line := range strings.Lines(string(text)) {
		if strings.Contains(line, root) {
			mounts = append(mounts, line)
		}
	}
	return mounts
}
