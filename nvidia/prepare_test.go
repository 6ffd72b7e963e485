package nvidia_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/standin"
)

// bench is a host whose programs record their calls.
type bench struct {
	*testing.T
	root, calls string
	progress    []string
}

func newBench(t *testing.T, h standin.Host) *bench {
	t.Helper()
	b := &bench{T: t, root: t.TempDir(), calls: filepath.Join(t.TempDir(), "calls")}
	if err := h.Write(b.root); err != nil {
		t.Fatal(err)
	}
	return b
}

// program installs a program that records its call and runs a script.
func (b *bench) program(name, script string) {
	b.Helper()
	path := filepath.Join(b.root, "usr/sbin", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.Fatal(err)
	}
	text := fmt.Sprintf("#!/bin/sh\necho \"%s $*\" >>%s\n%s\n", name, b.calls, script)
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		b.Fatal(err)
	}
}

// loads returns a script that makes the host h, with its driver loaded.
func (b *bench) loads(h standin.Host) string {
	b.Helper()
	after := b.TempDir()
	if err := h.Write(after); err != nil {
		b.Fatal(err)
	}
	return "cp -a " + after + "/. " + b.root
}

func (b *bench) called() []string {
	b.Helper()
	raw, err := os.ReadFile(b.calls)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		b.Fatal(err)
	}
	return slices.Collect(func(yield func(string) bool) {
		for line := range strings.Lines(string(raw)) {
			if !yield(strings.TrimSpace(line)) {
				return
			}
		}
	})
}

func (b *bench) prepare(o nvidia.Options) *nvidia.Inventory {
	b.Helper()
	o.Root = b.root
	if o.Progress == nil {
		o.Progress = func(what string) { b.progress = append(b.progress, what) }
	}
	i, err := nvidia.Prepare(b.Context(), o)
	if err != nil {
		b.Fatal(err)
	}
	return i
}

// needsNodes skips the test if it cannot make device nodes.
func needsNodes(t *testing.T) {
	t.Helper()
	if err := unix.Mknod(filepath.Join(t.TempDir(), "null"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err != nil {
		t.Skipf("mknod: %v (run as root)", err)
	}
}

// device returns "MAJOR:MINOR MODE" of a node, or why it is not a device node.
func (b *bench) device(path string) string {
	b.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(filepath.Join(b.root, path), &st); err != nil {
		return err.Error()
	}
	if st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return fmt.Sprintf("mode %o", st.Mode)
	}
	return fmt.Sprintf("%d:%d %03o", unix.Major(st.Rdev), unix.Minor(st.Rdev), st.Mode&0o777)
}

func notLoaded(h standin.Host) standin.Host {
	h.Driver = ""
	h.GPUs = slices.Clone(h.GPUs)
	for n := range h.GPUs {
		h.GPUs[n].Bound = ""
	}
	return h
}

// Prepare loads the modules and makes the nodes, and the links that runc needs, with
// the driver's numbers.
func TestPrepareLoadsModulesAndMakesNodes(t *testing.T) {
	needsNodes(t)
	one := standin.One()
	b := newBench(t, notLoaded(one))
	b.program("modprobe", b.loads(one))
	i := b.prepare(nvidia.Options{})
	if !i.Driver.Loaded || i.Driver.Problem != nil || len(i.Missing) > 0 {
		t.Errorf("driver = %+v, missing = %v, want all in place", i.Driver, i.Missing)
	}
	if diff := cmp.Diff([]string{"modprobe -- nvidia", "modprobe -- nvidia-uvm"}, b.called()); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"gpu: loading nvidia", "gpu: loading nvidia-uvm"}, b.progress); diff != "" {
		t.Errorf("progress (-want +got):\n%s", diff)
	}
	for path, want := range map[string]string{
		"/dev/nvidiactl": "195:255 666", "/dev/nvidia0": "195:0 666", "/dev/nvidia-uvm": "511:0 666", "/dev/nvidia-uvm-tools": "511:1 666",
	} {
		if got := b.device(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
		number, _, _ := strings.Cut(want, " ")
		if got, err := os.Readlink(filepath.Join(b.root, "/dev/char", number)); err != nil || got != "../"+filepath.Base(path) {
			t.Errorf("/dev/char/%s = %q, %v, want ../%s", number, got, err, filepath.Base(path))
		}
	}

	// The second time there is nothing to do.
	if err := os.Remove(b.calls); err != nil {
		t.Fatal(err)
	}
	if b.prepare(nvidia.Options{}); len(b.called()) > 0 {
		t.Errorf("programs ran again: %v", b.called())
	}
}

// Prepare replaces a node with the numbers of an earlier driver. The nodes of MIG
// devices are in a directory of their own.
func TestPrepareReplacesNodes(t *testing.T) {
	needsNodes(t)
	b := newBench(t, standin.MIG())
	if err := os.MkdirAll(filepath.Join(b.root, "dev"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mknod(filepath.Join(b.root, "dev/nvidia-uvm"), unix.S_IFCHR|0o666, int(unix.Mkdev(510, 0))); err != nil {
		t.Fatal(err)
	}
	i := b.prepare(nvidia.Options{})
	if len(i.Missing) > 0 {
		t.Errorf("missing = %v, want none", i.Missing)
	}
	if got := b.device("/dev/nvidia-uvm"); got != "511:0 666" {
		t.Errorf("/dev/nvidia-uvm is %s, want 511:0 666", got)
	}
	for path, mode := range map[string]string{"/dev/nvidia-caps/nvidia-cap1": "400", "/dev/nvidia-caps/nvidia-cap2": "444"} {
		if got := b.device(path); !strings.HasPrefix(got, "237:") || !strings.HasSuffix(got, " "+mode) {
			t.Errorf("%s is %s, want 237: and the mode %s", path, got, mode)
		}
	}
	if _, err := os.Lstat(filepath.Join(b.root, "dev/nvidia-uvm.dockhost")); err == nil {
		t.Error("a temporary node is left")
	}
}

// If the module's parameters leave the nodes to the administrator, Prepare makes none
// and reports the missing ones.
func TestPrepareLeavesNodesToAdministrator(t *testing.T) {
	h := standin.One()
	h.OwnNodes = true
	b := newBench(t, h)
	i := b.prepare(nvidia.Options{})
	if !slices.Contains(i.Missing, "/dev/nvidia0") {
		t.Errorf("missing = %v, want /dev/nvidia0 among them", i.Missing)
	}
	if entries, err := os.ReadDir(filepath.Join(b.root, "dev")); err == nil && len(entries) > 0 {
		t.Errorf("/dev has %v, want nothing", entries)
	}
}

// Prepare uses nvidia-modprobe, and kmod's modprobe if that fails.
func TestPreparePrefersNVIDIAModprobe(t *testing.T) {
	one := standin.One()
	one.OwnNodes = true
	tests := []struct {
		name    string
		modeset bool
		nvidia  string // what nvidia-modprobe does
		want    []string
	}{
		{"both", false, "LOAD", []string{"nvidia-modprobe", "nvidia-modprobe -u"}},
		{"graphics", true, "LOAD", []string{"nvidia-modprobe", "nvidia-modprobe -u", "nvidia-modprobe -m"}},
		{"fails", false, "exit 1", []string{"nvidia-modprobe", "modprobe -- nvidia", "nvidia-modprobe -u", "modprobe -- nvidia-uvm"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, notLoaded(one))
			b.program("nvidia-modprobe", strings.Replace(test.nvidia, "LOAD", b.loads(one), 1))
			b.program("modprobe", b.loads(one))
			if i := b.prepare(nvidia.Options{Modeset: test.modeset}); !i.Driver.Loaded {
				t.Errorf("driver = %+v, want it loaded", i.Driver)
			}
			if diff := cmp.Diff(test.want, b.called()); diff != "" {
				t.Errorf("programs (-want +got):\n%s", diff)
			}
		})
	}
}

// If a module does not load, the problem has modprobe's message.
func TestPrepareReportsModprobeError(t *testing.T) {
	b := newBench(t, notLoaded(standin.One()))
	b.program("modprobe", "echo \"modprobe: ERROR: could not insert 'nvidia': Key was rejected by service\" >&2; exit 1")
	i := b.prepare(nvidia.Options{})
	if i.Driver.Problem == nil || !strings.Contains(i.Driver.Problem.What, "Key was rejected by service") {
		t.Errorf("problem = %+v, want modprobe's message", i.Driver.Problem)
	}
	if want := []string{"modprobe -- nvidia"}; !slices.Equal(b.called(), want) {
		t.Errorf("programs that ran: %v, want %v", b.called(), want)
	}
}

// Prepare loads nothing without a GPU, or if another driver is bound to it.
func TestPrepareLoadsNothing(t *testing.T) {
	nouveau := notLoaded(standin.One())
	nouveau.GPUs[0].Bound = "nouveau"
	for name, h := range map[string]standin.Host{"no GPU": {Module: true}, "nouveau": nouveau} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, h)
			b.program("modprobe", "exit 0")
			b.prepare(nvidia.Options{})
			if len(b.called()) > 0 {
				t.Errorf("programs that ran: %v, want none", b.called())
			}
		})
	}
}

// Prepare waits for GPUs that the driver is still initializing, up to a timeout.
func TestPrepareWaits(t *testing.T) {
	ready := standin.One()
	ready.OwnNodes = true
	busy := ready
	busy.GPUs = slices.Clone(ready.GPUs)
	busy.GPUs[0].Model = ""
	t.Run("until they are initialized", func(t *testing.T) {
		b := newBench(t, busy)
		loads := b.loads(ready)
		i := b.prepare(nvidia.Options{Wait: time.Hour, Progress: func(what string) {
			if what != "gpu: waiting for the driver to initialize its GPUs" {
				t.Errorf("progress = %q", what)
			}
			if out, err := exec.Command("sh", "-c", loads).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		}})
		if !i.GPUs[0].Usable() {
			t.Errorf("GPU = %+v, want a usable one", i.GPUs[0])
		}
	})
	t.Run("until the timeout", func(t *testing.T) {
		if i := newBench(t, busy).prepare(nvidia.Options{Wait: time.Millisecond}); i.GPUs[0].Usable() {
			t.Errorf("GPU = %+v, want one that is not usable", i.GPUs[0])
		}
	})
	t.Run("until ctx ends", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		b := newBench(t, busy)
		_, err := nvidia.Prepare(ctx, nvidia.Options{Root: b.root, Wait: time.Hour, Progress: func(string) { cancel() }})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error = %v, want context.Canceled", err)
		}
	})
}
