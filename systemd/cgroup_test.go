package systemd

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// host makes the files that say in which cgroups a process is.
func host(t *testing.T, cgroup string, mounts ...string) Cgroups {
	t.Helper()
	root := t.TempDir()
	for _, pid := range []string{"self", "42"} {
		write(t, filepath.Join(root, "proc", pid, "cgroup"), cgroup)
	}
	for _, mount := range mounts {
		write(t, filepath.Join(root, cgroupMount, mount), "")
	}
	return Cgroups{Root: root}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const hybrid = `12:pids:/system.slice/web.service
4:memory:/system.slice/web.service
1:name=systemd:/system.slice/web.service
0::/system.slice/web.service
`

// v2AmongV1 is a process's cgroups if only the v2 tree is mounted, but controllers are
// bound to v1 trees elsewhere.
const v2AmongV1 = `4:memory:/
1:name=systemd:/
0::/system.slice/web.service
`

// mountsOf returns the mounts of a host with these cgroups of a process.
func mountsOf(cgroup string) []string {
	if strings.Contains(cgroup, "pids:") {
		return []string{"systemd/x", "unified/system.slice/web.service/x", "memory/x", "pids/x"}
	}
	return []string{"cgroup.controllers"}
}

func TestUnitOf(t *testing.T) {
	for cgroup, want := range map[string]string{
		"0::/system.slice/dockhost.service\n":           "dockhost.service",
		"0::/system.slice/web.service/supervisor\n":     "web.service",
		"0::/user.slice/user-0.slice/session-3.scope\n": "session-3.scope",
		"0::/\n": "",
		hybrid:   "web.service",
		"0::/user.slice/user-0.slice/user@0.service/a.slice/b\n": "user@0.service",
	} {
		if got := host(t, cgroup, mountsOf(cgroup)...).UnitOf(42); got != want {
			t.Errorf("UnitOf() in %q = %q, want %q", cgroup, got, want)
		}
	}
	if got := host(t, hybrid, mountsOf(hybrid)...).UnitOf(43); got != "" {
		t.Errorf("UnitOf() of a process that has ended = %q, want none", got)
	}
}

func TestOwnUnit(t *testing.T) {
	tests := []struct {
		name, cgroup, unit, path string
	}{
		{"v2", "0::/system.slice/web.service\n", "web.service", "/system.slice/web.service"},
		{"v2 among v1", v2AmongV1, "web.service", "/system.slice/web.service"},
		{"v2 in a leaf", "0::/system.slice/web.service/supervisor\n", "web.service", "/system.slice/web.service"},
		{"v2 instance", "0::/system.slice/system-dockhost.slice/dockhost@web.service/supervisor\n", "dockhost@web.service", "/system.slice/system-dockhost.slice/dockhost@web.service"},
		{"hybrid", hybrid, "web.service", "/system.slice/web.service"},
		{"user's session", "0::/user.slice/user-0.slice/session-1.scope\n", "", ""},
		{"user's unit", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/web.service\n", "web.service", "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service"},
		{"user's terminal", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n", "", ""},
		{"in a container", "0::/system.slice/docker-0.scope/system.slice/web.service\n", "web.service", "/system.slice/docker-0.scope/system.slice/web.service"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			unit, path, err := host(t, test.cgroup, mountsOf(test.cgroup)...).OwnUnit()
			if unit != test.unit || path != test.path || (err == nil) != (test.unit != "") {
				t.Errorf("OwnUnit() = %q, %q, %v, want %q, %q", unit, path, err, test.unit, test.path)
			}
		})
	}
}

func TestUserSocket(t *testing.T) {
	for path, want := range map[string]string{
		"/system.slice/web.service":                                           "",
		"/user.slice/user-1000.slice/user@1000.service":                       "",
		"/user.slice/user-1000.slice/user@1000.service/app.slice/web.service": "/run/user/1000/systemd/private",
		"": "",
	} {
		if got := UserSocket(path); got != want {
			t.Errorf("UserSocket(%q) = %q, want %q", path, got, want)
		}
	}
}

func TestHolds(t *testing.T) {
	tests := []struct {
		name, cgroup string
		want         bool
	}{
		{"below", "0::/system.slice/web.service/container\n", true},
		{"in the unit itself", "0::/system.slice/web.service\n", false},
		{"next to the unit", "0::/system.slice/web.service-other/container\n", false},
		{"docker's scope", "0::/system.slice/docker-0123.scope\n", false},
		{"hybrid", strings.ReplaceAll(hybrid, "web.service", "web.service/container"), true},
		// runc before 1.0 leaves the process in the v2 cgroup of its caller.
		{"hybrid, not in the v2 tree", strings.Replace(strings.ReplaceAll(hybrid, "web.service", "web.service/container"), "0::/system.slice/web.service/container", "0::/system.slice/containerd.service", 1), false},
		{"hybrid, in the v2 tree alone", strings.Replace(hybrid, "0::/system.slice/web.service", "0::/system.slice/web.service/container", 1), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, at, err := host(t, test.cgroup, mountsOf(test.cgroup)...).Holds("/system.slice/web.service", 42)
			if got != test.want || err != nil {
				t.Errorf("Holds() = %v (at %q), %v, want %v", got, at, err, test.want)
			}
		})
	}
}

func TestHoldsInSomeTrees(t *testing.T) {
	const cgroup = "4:memory:/system.slice/web.service/container\n2:pids:/docker/0123\n1:name=systemd:/docker/0123\n"
	c := host(t, cgroup, "systemd/x", "memory/x", "pids/x")
	for controllers, want := range map[string]bool{"memory": true, "pids": false, "name=systemd": false, "memory pids": false, "none": false} {
		if got, _, err := c.Holds("/system.slice/web.service", 42, strings.Fields(controllers)...); got != want || err != nil {
			t.Errorf("Holds(%s) = %v, %v, want %v", controllers, got, err, want)
		}
	}
}

// A v2 tree that systemd does not use says nothing.
func TestHoldsBesideUnusedTree(t *testing.T) {
	const cgroup = "1:name=systemd:/system.slice/web.service/container\n0::/\n"
	for _, controllers := range [][]string{nil, {"name=systemd"}} {
		if got, at, err := host(t, cgroup, "systemd/x", "unified/x").Holds("/system.slice/web.service", 42, controllers...); !got || err != nil {
			t.Errorf("Holds(%q) = %v (at %q), %v, want true", controllers, got, at, err)
		}
	}
}

func TestMounted(t *testing.T) {
	v1, v2 := host(t, hybrid, mountsOf(hybrid)...), host(t, v2AmongV1, mountsOf(v2AmongV1)...)
	if v1.Unified() || !v2.Unified() {
		t.Errorf("Unified() = %v on v1, %v on v2", v1.Unified(), v2.Unified())
	}
	for controllers, want := range map[string]bool{"memory": true, "name=systemd": true, "cpu": false, "": false} {
		if got := v1.Mounted(controllers); got != want {
			t.Errorf("Mounted(%q) = %v, want %v", controllers, got, want)
		}
	}
	if v2.Mounted("memory") {
		t.Error("Mounted(memory) = true on v2, want false")
	}
}

func TestEnterLeaf(t *testing.T) {
	tests := []struct {
		name, cgroup string
		mounts       []string
		entered      []string
	}{
		{"v2", "0::/system.slice/web.service\n", []string{"cgroup.controllers"}, []string{""}},
		{"v2, done by systemd", "0::/system.slice/web.service/supervisor\n", []string{"cgroup.controllers"}, nil},
		// In v1 trees with controllers, the process stays, since v1 has no such rule.
		{"hybrid", hybrid, []string{"systemd/x", "unified/x", "memory/x"}, []string{"systemd", "unified"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := host(t, test.cgroup, test.mounts...)
			if err := c.EnterLeaf("/system.slice/web.service", "supervisor"); err != nil {
				t.Fatal(err)
			}
			var entered []string
			for _, mount := range []string{"", "systemd", "unified", "memory"} {
				procs := filepath.Join(c.Root, cgroupMount, mount, "system.slice/web.service/supervisor/cgroup.procs")
				if raw, err := os.ReadFile(procs); err == nil && string(raw) == strconv.Itoa(os.Getpid()) {
					entered = append(entered, mount)
				}
			}
			if strings.Join(entered, ",") != strings.Join(test.entered, ",") || len(entered) != len(test.entered) {
				t.Errorf("EnterLeaf() entered %q, want %q", entered, test.entered)
			}
		})
	}
}

// Prune removes only a unit's cgroup and those below it.
func TestPrune(t *testing.T) {
	c := host(t, hybrid, "systemd/cgroup.procs", "memory/cgroup.procs")
	leaf := filepath.Join(c.Root, cgroupMount, "memory/system.slice/web.service/container/nested")
	if err := os.MkdirAll(leaf, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"", "/", "/system.slice"} {
		c.Prune(path)
		if _, err := os.Stat(leaf); err != nil {
			t.Fatalf("Prune(%q) removed a cgroup that is not a unit's", path)
		}
	}
	c.Prune("/system.slice/web.service")
	if _, err := os.Stat(filepath.Join(c.Root, cgroupMount, "memory/system.slice/web.service")); err == nil {
		t.Error("the unit's cgroup still exists")
	}
	if _, err := os.Stat(filepath.Join(c.Root, cgroupMount, "memory/system.slice")); err != nil {
		t.Error("the slice's cgroup is gone")
	}
}

// What a process says last is found by what the entry says itself.
func TestOwnFields(t *testing.T) {
	for cgroup, want := range map[string]string{
		hybrid: "web.service i-1",
		"0::/system.slice/web.service/supervisor\n":                                "web.service i-1",
		"0::/user.slice/user-0.slice/session-3.scope\n":                            " ",
		"0::/user.slice/user-7.slice/user@7.service/app.slice/web.service/inner\n": " ",
	} {
		got := ownFields(host(t, cgroup, mountsOf(cgroup)...), "i-1")
		if text := got["OBJECT_SYSTEMD_UNIT"] + " " + got["OBJECT_SYSTEMD_INVOCATION_ID"]; text != want {
			t.Errorf("ownFields() in %q = %v, want %s", cgroup, got, want)
		}
	}
}
