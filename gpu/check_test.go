package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/gpu/attachment"
)

// checkedHost returns a host on which process 7 is a container's first process. nodes
// is the container's file tree.
func checkedHost(t *testing.T, nodes string) (Checker, string) {
	t.Helper()
	root := t.TempDir()
	write := func(path, text string) {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("proc/driver/nvidia/version", "NVRM version: x\n")
	write("proc/7/cgroup", "5:devices:/unit/container\n0::/elsewhere\n")
	write("proc/self/cgroup", "5:devices:/unit/supervisor\n0::/elsewhere\n")
	write("sys/fs/cgroup/devices/unit/container/cgroup.procs", "")
	write("sys/fs/cgroup/devices/unit/supervisor/cgroup.procs", "")
	if err := os.Symlink(nodes, filepath.Join(root, "proc/7/root")); err != nil {
		t.Fatal(err)
	}
	return Checker{Root: root}, root
}

func TestCheck(t *testing.T) {
	null, zero := attachment.Node{Path: "/dev/null", Major: 1, Minor: 3}, attachment.Node{Path: "/dev/zero", Major: 1, Minor: 5}
	for name, test := range map[string]struct {
		nodes []attachment.Node
		lost  string
	}{
		"usable":         {[]attachment.Node{null, zero}, ""},
		"gone":           {[]attachment.Node{null, {Path: "/dev/nvidia0"}}, "/dev/nvidia0: no such file or directory"},
		"another device": {[]attachment.Node{{Path: "/dev/null", Major: 195, Minor: 3}}, "/dev/null: it is no longer the device 195:3"},
		"no device":      {[]attachment.Node{{Path: "/dev", Major: 1, Minor: 3}}, "/dev: it is no longer the device 1:3"},
	} {
		t.Run(name, func(t *testing.T) {
			c, root := checkedHost(t, "/")
			found, err := c.Check(attachment.Check{Pid: 7, Nodes: test.nodes, NVIDIA: true})
			if err != nil || found.Lost != test.lost {
				t.Errorf("Check() = %+v, %v, want %q", found, err, test.lost)
			}
			// Writing 0 moves the writing process: in, and out again.
			for _, leaf := range []string{"container", "supervisor"} {
				raw, err := os.ReadFile(filepath.Join(root, "sys/fs/cgroup/devices/unit", leaf, "cgroup.procs"))
				if err != nil || string(raw) != "0" {
					t.Errorf("cgroup.procs of %s has %q, %v, want 0", leaf, raw, err)
				}
			}
		})
	}
}

// A link in the place of a device does not lead out of the container's file tree.
func TestCheckStaysInside(t *testing.T) {
	inside := t.TempDir()
	if err := os.Symlink("/dev/null", filepath.Join(inside, "nvidia0")); err != nil {
		t.Fatal(err)
	}
	c, _ := checkedHost(t, inside)
	found, err := c.Check(attachment.Check{Pid: 7, Nodes: []attachment.Node{{Path: "/nvidia0", Major: 1, Minor: 3}}})
	if err != nil || !strings.Contains(found.Lost, "no such file") {
		t.Errorf("Check() of a link to a device of the host = %+v, %v, want that the file does not exist", found, err)
	}
}

func TestCheckFindsUnloadedDriver(t *testing.T) {
	c, root := checkedHost(t, "/")
	if err := os.RemoveAll(filepath.Join(root, "proc/driver")); err != nil {
		t.Fatal(err)
	}
	for nvidia, want := range map[bool]string{true: "the NVIDIA driver is no longer loaded", false: ""} {
		if found, err := c.Check(attachment.Check{Pid: 7, NVIDIA: nvidia}); err != nil || found.Lost != want {
			t.Errorf("Check(NVIDIA: %v) = %+v, %v, want %q", nvidia, found, err, want)
		}
	}
}

// A container that has ended has not lost its GPU.
func TestCheckOfEndedContainerIsNoLoss(t *testing.T) {
	c, _ := checkedHost(t, "/")
	if found, err := c.Check(attachment.Check{Pid: 8, Nodes: []attachment.Node{{Path: "/dev/null"}}}); err == nil {
		t.Errorf("Check() of a process that does not exist = %+v, want an error", found)
	}
}

func TestLostByXid(t *testing.T) {
	line := func(at int, text string) string { return fmt.Sprintf("4,1234,%d,-;%s", at, text) }
	const off = "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus."
	buses := []string{"0000:01:00.0"}
	for name, test := range map[string]struct {
		record string
		buses  []string
		lost   bool
	}{
		"off the bus":         {line(100, off), buses, true},
		"any GPU":             {line(100, off), nil, true},
		"before the start":    {line(99, off), buses, false},
		"another GPU":         {line(100, off), []string{"0000:02:00.0"}, false},
		"upper case":          {line(100, strings.Replace(off, "01:00", "0A:00", 1)), []string{"0000:0a:00.0"}, true},
		"the program's fault": {line(100, strings.Replace(off, "79", "31", 1)), buses, false},
		"another line":        {line(100, "NVRM: loading NVIDIA UNIX x86_64 Kernel Module"), buses, false},
		"cut off":             {"4,12", buses, false},
		"a continuation":      {" SUBSYSTEM=pci", buses, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := lostByXid([]string{test.record}, 100, test.buses); (got != "") != test.lost || test.lost && !strings.Contains(got, "fallen off the bus (Xid 79") {
				t.Errorf("lostByXid(%q) = %q, want lost %v", test.record, got, test.lost)
			}
		})
	}
}

func TestCheckReadsKernelLog(t *testing.T) {
	c, root := checkedHost(t, "/")
	if err := os.MkdirAll(filepath.Join(root, "dev"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := "6,1,50,-;usb 1-1: new device\n4,2,200,-;NVRM: Xid (PCI:0000:01:00): 79, pid=1\n"
	if err := os.WriteFile(filepath.Join(root, "dev/kmsg"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := c.Check(attachment.Check{Pid: 7, NVIDIA: true, Since: 100, Buses: []string{"0000:01:00.0"}})
	if want := "the GPU at 0000:01:00: it has fallen off the bus (Xid 79 in the kernel log)"; err != nil || found.Lost != want {
		t.Errorf("Check() = %+v, %v, want %q", found, err, want)
	}
}

func FuzzXid(f *testing.F) {
	f.Add("4,1234,100,-;NVRM: Xid (PCI:0000:01:00): 79, pid=1", int64(0))
	f.Add(";", int64(-1))
	f.Fuzz(func(_ *testing.T, record string, since int64) {
		lostByXid([]string{record}, since, []string{"0000:01:00.0"})
	})
}
