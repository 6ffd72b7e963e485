package cdispec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	specs "tags.cncf.io/container-device-interface/specs-go"

	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/cdispec"
	"github.com/dockhost/dockhost/nvidia/standin"
)

const library = "/usr/lib/x86_64-linux-gnu/libcuda.so."

// machine is the file tree of a host with GPUs. Its device nodes are plain files,
// which a test can make without root.
type machine struct {
	t    testing.TB
	root string
}

func newMachine(tb testing.TB, h standin.Host) (*machine, *nvidia.Inventory) {
	tb.Helper()
	m := &machine{tb, tb.TempDir()}
	if err := h.Write(m.root); err != nil {
		tb.Fatal(err)
	}
	i := m.inventory()
	for _, path := range i.Missing {
		m.write(path, "")
	}
	return m, i
}

func (m *machine) inventory() *nvidia.Inventory {
	m.t.Helper()
	i, err := nvidia.Discover(m.root)
	if err != nil {
		m.t.Fatal(err)
	}
	return i
}

func (m *machine) write(path, text string) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

// describe returns a spec of the inventory for a driver version.
func describe(i *nvidia.Inventory, driver string) *specs.Spec {
	spec := &specs.Spec{Version: "0.5.0", Kind: cdispec.Kind}
	for _, g := range i.GPUs {
		node := func(path string) *specs.DeviceNode {
			return &specs.DeviceNode{Path: path, Type: "c", Major: 195, Minor: int64(g.Minor)}
		}
		device := specs.Device{Name: fmt.Sprint(g.Index)}
		device.ContainerEdits.DeviceNodes = []*specs.DeviceNode{node(fmt.Sprintf("/dev/nvidia%d", g.Minor))}
		for _, m := range g.MIG {
			for _, minor := range m.Caps {
				path := fmt.Sprintf("/dev/nvidia-caps/nvidia-cap%d", minor)
				device.ContainerEdits.DeviceNodes = append(device.ContainerEdits.DeviceNodes, node(path))
			}
		}
		spec.Devices = append(spec.Devices, device)
	}
	spec.ContainerEdits.Mounts = []*specs.Mount{{HostPath: library + driver, ContainerPath: library + driver}}
	return spec
}

func text(tb testing.TB, spec *specs.Spec) string {
	tb.Helper()
	raw, err := json.Marshal(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return string(raw)
}

func TestFindReturnsMatchingSpec(t *testing.T) {
	m, i := newMachine(t, standin.MIG())
	m.write("/etc/cdi/nvidia.yaml", text(t, describe(i, i.Driver.Version)))
	m.write("/etc/cdi/other.json", `{"kind": "example.com/net", "devices": []}`)
	found, stale := cdispec.Find(i, cdispec.Options{Root: m.root})
	if found == nil || found.Path != "/etc/cdi/nvidia.yaml" || found.By != cdispec.ByHost {
		t.Errorf("Find() = %+v, %v, want the administrator's spec", found, stale)
	}
}

func TestFindReportsStaleSpec(t *testing.T) {
	m, i := newMachine(t, standin.MIG())
	tests := map[string]struct {
		change func(*specs.Spec)
		why    string
	}{
		"driver": {
			func(s *specs.Spec) { s.ContainerEdits.Mounts[0].HostPath = library + "535.54.03" },
			"it is for driver 535.54.03, but 550.54.15 is loaded",
		},
		"MIG": {func(s *specs.Spec) {
			edits := &s.Devices[0].ContainerEdits
			edits.DeviceNodes = edits.DeviceNodes[:len(edits.DeviceNodes)-1]
		}, "nvidia-cap23 (MIG device 0:2)"},
		"GPU":  {func(s *specs.Spec) { s.Devices[0].ContainerEdits.DeviceNodes[0].Path = "/dev/nvidia-uvm" }, "it lacks /dev/nvidia0"},
		"node": {func(s *specs.Spec) { s.Devices[0].ContainerEdits.DeviceNodes[0].Path = "/dev/nvidia7" }, "/dev/nvidia7, which does not exist"},
		"hook": {
			func(s *specs.Spec) { s.ContainerEdits.Hooks = []*specs.Hook{{Path: "/usr/bin/nvidia-cdi-hook"}} },
			"its hook /usr/bin/nvidia-cdi-hook does not exist",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			spec := describe(i, i.Driver.Version)
			test.change(spec)
			m.write("/etc/cdi/nvidia.yaml", text(t, spec))
			found, stale := cdispec.Find(i, cdispec.Options{Root: m.root})
			if found != nil || len(stale) != 1 || !strings.Contains(stale[0].Why, test.why) {
				t.Errorf("Find() = %v, %v, want nil and %q", found, stale, test.why)
			}
		})
	}
}

func TestEnsureWithoutGenerator(t *testing.T) {
	m, i := newMachine(t, standin.One())
	if _, err := cdispec.Ensure(t.Context(), i, cdispec.Options{Root: m.root}); !errors.Is(err, cdispec.ErrNoGenerator) {
		t.Errorf("Ensure() = %v, want %v", err, cdispec.ErrNoGenerator)
	}
}

func TestEnsureGeneratesOnce(t *testing.T) {
	m, i := newMachine(t, standin.One())
	o := cdispec.Options{Root: m.root}
	script := func(spec *specs.Spec) string {
		return "#!/bin/sh\necho >>" + m.root + "/calls\ncat <<'END'\n" + text(t, spec) + "\nEND\n"
	}
	calls := func() int {
		raw, _ := os.ReadFile(m.root + "/calls")
		return len(raw)
	}
	m.write("/usr/libexec/dockhost/dockhost-nvidia", script(describe(i, i.Driver.Version)))
	source, err := cdispec.Ensure(t.Context(), i, o)
	if err != nil || source.By != cdispec.ByDockhost || source.Path != cdispec.Published {
		t.Fatalf("Ensure() = %+v, %v, want one by dockhost-nvidia", source, err)
	}
	// /run is empty after a boot.
	if err := os.RemoveAll(m.root + "/run"); err != nil {
		t.Fatal(err)
	}
	if source, err = cdispec.Ensure(t.Context(), i, o); err != nil || source.By != cdispec.ByDockhost || calls() != 1 {
		t.Errorf("Ensure() after a boot = %+v, %v, after %d calls, want the kept spec", source, err, calls())
	}
	// With another driver, NVIDIA's program is used first, and its spec must match.
	h := standin.One()
	h.Driver, h.Libraries = "560.35.03", "560.35.03"
	if err := os.RemoveAll(m.root + "/sys"); err != nil { // the links in it
		t.Fatal(err)
	}
	if err := h.Write(m.root); err != nil {
		t.Fatal(err)
	}
	i = m.inventory()
	m.write("/usr/bin/nvidia-ctk", script(describe(i, "550.54.15")))
	m.write("/usr/libexec/dockhost/dockhost-nvidia", script(describe(i, "560.35.03")))
	source, err = cdispec.Ensure(t.Context(), i, o)
	if err != nil || source.By != cdispec.ByDockhost || calls() != 3 {
		t.Errorf("Ensure() of another driver = %+v, %v, after %d calls, want the second generator's", source, err, calls())
	}
}

func TestEdits(t *testing.T) {
	m, i := newMachine(t, standin.Eight())
	m.write("/etc/cdi/nvidia.yaml", text(t, describe(i, i.Driver.Version)))
	source, stale := cdispec.Find(i, cdispec.Options{Root: m.root})
	if source == nil {
		t.Fatalf("Find() = nil, %v", stale)
	}
	edits, err := source.Edits("nvidia.com/gpu=0", "0", i.GPUs[1].UUID)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []string
	for _, node := range edits.DeviceNodes {
		nodes = append(nodes, node.Path)
	}
	if want := []string{"/dev/nvidia2", "/dev/nvidia3"}; !slices.Equal(nodes, want) {
		t.Errorf("nodes = %q, want %q", nodes, want)
	}
	if len(edits.Mounts) != 1 {
		t.Errorf("mounts = %v, want the common mount once", edits.Mounts)
	}
	if _, err := source.Edits("8"); err == nil || !strings.Contains(err.Error(), `no GPU "8"`) {
		t.Errorf("Edits(8) = %v, want an error that lists the known names", err)
	}
}

// BenchmarkBoot measures the work at boot for eight unchanged GPUs: discovery, and a
// spec with as many files as a driver has.
func BenchmarkBoot(b *testing.B) {
	h := standin.Eight()
	h.OwnNodes = true // a test without root cannot make devices
	m, i := newMachine(b, h)
	spec := describe(i, i.Driver.Version)
	for n := range 60 {
		path := fmt.Sprintf("/usr/lib/x86_64-linux-gnu/libnvidia-%d.so.%s", n, i.Driver.Version)
		m.write(path, "")
		spec.ContainerEdits.Mounts = append(spec.ContainerEdits.Mounts, &specs.Mount{HostPath: path, ContainerPath: path})
	}
	m.write("/usr/libexec/dockhost/dockhost-nvidia", "#!/bin/sh\ncat <<'END'\n"+text(b, spec)+"\nEND\n")
	if _, err := cdispec.Ensure(b.Context(), i, cdispec.Options{Root: m.root}); err != nil {
		b.Fatal(err)
	}
	m.write("/usr/libexec/dockhost/dockhost-nvidia", "#!/bin/sh\nexit 1\n")
	for b.Loop() {
		b.StopTimer()
		if err := os.RemoveAll(m.root + "/run"); err != nil { // as a boot does
			b.Fatal(err)
		}
		b.StartTimer()
		i, err := nvidia.Prepare(b.Context(), nvidia.Options{Root: m.root})
		if err != nil {
			b.Fatal(err)
		}
		if source, err := cdispec.Ensure(b.Context(), i, cdispec.Options{Root: m.root}); err != nil || source.By != cdispec.ByDockhost {
			b.Fatalf("Ensure() = %+v, %v", source, err)
		}
	}
}
