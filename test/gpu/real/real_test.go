//go:build gpu

package real

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opencontainers/runtime-spec/specs-go"

	"github.com/dockhost/dockhost/gpu"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

var programs = flag.String("programs", "", "the `directory` of dockhost-runtime, dockhost-nvidia and probe")

// generator is where dockhost looks for dockhost-nvidia.
const generator = "/usr/libexec/dockhost/dockhost-nvidia"

// installed has dockhost-nvidia be where its package has it.
func installed(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(generator); err == nil {
		return
	}
	copyTo(t, filepath.Join(*programs, "dockhost-nvidia"), generator)
	t.Cleanup(func() { _ = os.Remove(generator) })
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	raw, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, raw, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func prepared(t *testing.T) *nvidia.Inventory {
	t.Helper()
	i, err := nvidia.Prepare(t.Context(), nvidia.Options{Root: "/", Progress: func(what string) { t.Log(what) }})
	if err != nil {
		t.Fatal(err)
	}
	if !i.Driver.Loaded || i.Driver.Problem != nil {
		t.Fatalf("driver = %+v (%+v), want one that works", i.Driver, i.Driver.Problem)
	}
	return i
}

// What is found without NVML is what NVIDIA's own program finds by it.
func TestDiscovery(t *testing.T) {
	var want []string
	for line := range strings.Lines(run(t, "nvidia-smi", "--query-gpu=index,uuid,name,pci.bus_id", "--format=csv,noheader")) {
		fields := strings.Split(strings.TrimSpace(line), ", ")
		if len(fields) != 4 {
			t.Fatalf("nvidia-smi printed %q, want index, uuid, name and bus", line)
		}
		// It prints the domain with eight digits, and sysfs with four.
		fields[3] = strings.ToLower(strings.TrimPrefix(fields[3], "0000"))
		want = append(want, strings.Join(fields, ", "))
	}
	i := prepared(t)
	var got []string
	for _, g := range i.GPUs {
		if g.Usable() {
			got = append(got, fmt.Sprintf("%d, %s, %s, %s", g.Index, g.UUID, g.Model, g.BusID))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("GPUs (-nvidia-smi +dockhost):\n%s", diff)
	}
	if version := run(t, "nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"); !slices.Contains(strings.Fields(version), i.Driver.Version) {
		t.Errorf("driver = %q, want nvidia-smi's %q", i.Driver.Version, version)
	}
	t.Logf("driver %s: %s", i.Driver.Version, strings.Join(got, "; "))
}

// A program in a root file system that has nothing of the driver lists the
// GPUs, in a container that runc makes through dockhost-runtime.
func TestContainer(t *testing.T) {
	installed(t)
	i := prepared(t)
	var names []string
	for _, g := range i.GPUs {
		if g.Usable() {
			names = append(names, g.Model)
		}
	}
	attached, err := gpu.Attach(t.Context(), gpu.Machine{Root: "/"},
		&spec.GPUNeeds{Requests: []spec.GPURequest{{Count: spec.AllGPUs}}}, nil, func(m attachment.Message) { t.Log(m.Status + m.Warning) })
	if err != nil {
		t.Fatal(err)
	}
	id := strings.Repeat("d0c4", 16) // as Docker's are
	const unit, cgroup = "dockhost-gpu-test.service", "/dockhost-gpu-test"
	makeCgroup(t, cgroup)
	if err := os.MkdirAll(placement.Dir, 0o770); err != nil {
		t.Fatal(err)
	}
	place := placement.Placement{Unit: unit, CgroupPath: cgroup + "/container", Edits: attached.Edits, Devices: attached.Devices}
	if err := placement.Write(placement.Dir, id, place); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = placement.Remove(placement.Dir, id) })

	bundle := t.TempDir()
	root := filepath.Join(bundle, "rootfs")
	fill(t, root)
	configure(t, bundle, placement.CgroupParent(unit)+"/"+id)
	got := run(t, filepath.Join(*programs, "dockhost-runtime"), "--root", t.TempDir(), "run", "--bundle", bundle, id)
	want := fmt.Sprintf("devices %d", len(names))
	for n, name := range names {
		want += fmt.Sprintf("\ndevice %d %s", n, name)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the program in the container printed (-want +got):\n%s", diff)
	}
	t.Logf("described by %v:\n%s", attached.Devices, got)
}

// makeCgroup stands in for systemd, which makes a unit's.
func makeCgroup(t *testing.T, path string) {
	t.Helper()
	trees, err := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	if _, unified := os.Stat("/sys/fs/cgroup/cgroup.controllers"); unified == nil {
		trees, err = []string{"/sys/fs/cgroup/cgroup.procs"}, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range trees {
		dir := filepath.Dir(tree) + path
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = os.Remove(dir + "/container")
			_ = os.Remove(dir)
		})
	}
}

// fill makes a root file system with the program and the C library.
func fill(t *testing.T, root string) {
	t.Helper()
	probe := filepath.Join(*programs, "probe")
	copyTo(t, probe, root+"/probe")
	for _, dir := range []string{"dev", "etc", "proc", "sys", "tmp", "usr/bin"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var libc string
	for field := range strings.FieldsSeq(run(t, "ldd", probe)) {
		if filepath.IsAbs(field) {
			copyTo(t, field, root+field)
			if strings.HasPrefix(filepath.Base(field), "libc.so") {
				libc = filepath.Dir(field)
			}
		}
	}
	// What the driver's library asks for of the C library's.
	for _, name := range []string{"libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1"} {
		if _, err := os.Stat(filepath.Join(libc, name)); err == nil {
			copyTo(t, filepath.Join(libc, name), filepath.Join(root, libc, name))
		}
	}
	// NVIDIA's hook leaves a file system alone that has no cache.
	if err := os.WriteFile(root+"/etc/ld.so.conf", []byte(libc+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, "/sbin/ldconfig", "-r", root)
}

// configure writes what `runc spec` has, for our program.
func configure(t *testing.T, bundle, cgroup string) {
	t.Helper()
	run(t, "runc", "spec", "--bundle", bundle)
	file := filepath.Join(bundle, "config.json")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var config specs.Spec
	if err := json.Unmarshal(raw, &config); err != nil {
		t.Fatal(err)
	}
	config.Process.Terminal = false
	config.Process.Args = []string{"/probe"}
	config.Linux.CgroupsPath = cgroup
	if raw, err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}
