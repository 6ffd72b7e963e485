package nvidia_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/nvidia"
	"github.com/dockhost/dockhost/nvidia/standin"
)

func discover(t *testing.T, h standin.Host) *nvidia.Inventory {
	t.Helper()
	root := t.TempDir()
	if err := h.Write(root); err != nil {
		t.Fatal(err)
	}
	i, err := nvidia.Discover(root)
	if err != nil {
		t.Fatalf("Discover() = %v", err)
	}
	return i
}

func TestDiscoverOneGPU(t *testing.T) {
	i := discover(t, standin.One())
	want := []nvidia.GPU{{
		Index: 0, UUID: "GPU-0f5f6bd1-6f3f-8ab9-6c8e-0a2c6a4b9a11", Model: "Tesla T4", BusID: "0000:00:1e.0",
		NUMANode: -1, Bound: "nvidia", PCIID: "10de:1eb8",
	}}
	if diff := cmp.Diff(want, i.GPUs); diff != "" {
		t.Errorf("GPUs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(nvidia.Driver{Loaded: true, Version: "550.54.15"}, i.Driver); diff != "" {
		t.Errorf("Driver (-want +got):\n%s", diff)
	}
	missing := []string{"/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"}
	if diff := cmp.Diff(missing, i.Missing); diff != "" {
		t.Errorf("Missing (-want +got):\n%s", diff)
	}
}

func TestDiscoverEightGPUs(t *testing.T) {
	i := discover(t, standin.Eight())
	var minors, indices []int
	for _, g := range i.GPUs {
		minors, indices = append(minors, g.Minor), append(indices, g.Index)
	}
	if want := []int{2, 3, 0, 1, 6, 7, 4, 5}; !slices.Equal(minors, want) {
		t.Errorf("minors = %v, want %v", minors, want)
	}
	if want := []int{0, 1, 2, 3, 4, 5, 6, 7}; !slices.Equal(indices, want) {
		t.Errorf("indices = %v, want %v", indices, want)
	}
	if i.GPUs[7].NUMANode != 3 {
		t.Errorf("NUMA node of GPU 7 = %d, want 3", i.GPUs[7].NUMANode)
	}
	if len(i.Switches) != 6 || i.Switches[5] != (nvidia.Switch{BusID: "0000:c6:00.0", Minor: 5}) {
		t.Errorf("Switches = %v, want six, the last with minor 5", i.Switches)
	}
}

func TestDiscoverMIG(t *testing.T) {
	i := discover(t, standin.MIG())
	want := []nvidia.MIGInstance{
		{Name: "0:0", GPUInstance: 1, Instance: 0, Caps: [2]int{12, 13}},
		{Name: "0:1", GPUInstance: 2, Instance: 0, Caps: [2]int{21, 22}},
		{Name: "0:2", GPUInstance: 2, Instance: 1, Caps: [2]int{21, 23}},
	}
	if diff := cmp.Diff(want, i.GPUs[0].MIG); diff != "" {
		t.Errorf("MIG (-want +got):\n%s", diff)
	}
	if !i.Driver.Open || i.Driver.Version != "550.54.15" {
		t.Errorf("Driver = %+v, want 550.54.15 of the open modules", i.Driver)
	}
	if !slices.Contains(i.Missing, "/dev/nvidia-caps/nvidia-cap23") {
		t.Errorf("Missing = %v, want nvidia-cap23 among them", i.Missing)
	}
}

func TestDiscoverDiagnosesProblem(t *testing.T) {
	with := func(h standin.Host, change func(*standin.Host)) standin.Host {
		change(&h)
		return h
	}
	tests := []struct {
		name string
		host standin.Host
		kind nvidia.ProblemKind // "" for none
		what string
	}{
		{"no NVIDIA device", standin.Host{}, "", ""},
		{"a module without a GPU", standin.Host{Module: true}, "", ""},
		{"no problem", standin.One(), "", ""},
		{"no driver", with(standin.One(), func(h *standin.Host) {
			h.Driver, h.Module, h.Libraries, h.GPUs[0].Bound = "", false, "", ""
		}), nvidia.ModuleMissing, standin.Kernel},
		{"a driver that is not loaded", with(standin.One(), func(h *standin.Host) {
			h.Driver, h.GPUs[0].Bound = "", ""
		}), nvidia.NotLoaded, "not loaded"},
		{"nouveau", with(standin.One(), func(h *standin.Host) {
			h.Driver, h.GPUs[0].Bound = "", "nouveau"
		}), nvidia.OtherDriver, "nouveau is bound to the GPU 0000:00:1e.0"},
		{"passed to a virtual machine", with(standin.One(), func(h *standin.Host) {
			h.GPUs[0].Bound, h.GPUs[0].Model = "vfio-pci", ""
		}), nvidia.OtherDriver, "vfio-pci"},
		{"a driver without a GPU", with(standin.One(), func(h *standin.Host) {
			h.GPUs = nil
		}), nvidia.NoDevice, "550.54.15"},
		{"an unsupported GPU", with(standin.One(), func(h *standin.Host) {
			h.Driver, h.Libraries = "595.45.04", "595.45.04"
			h.GPUs = []standin.GPU{{BusID: "0000:00:03.0", Device: "0x118a"}} // GRID K520
		}), nvidia.GPUUnsupported, "0000:00:03.0 is 10de:118a"},
		{"libraries of another version", with(standin.One(), func(h *standin.Host) {
			h.Libraries = "560.35.03"
		}), nvidia.VersionsDiffer, "has version 550.54.15, but its libraries have 560.35.03"},
		{"no libraries", with(standin.One(), func(h *standin.Host) {
			h.Libraries = ""
		}), nvidia.NoLibraries, "libcuda.so"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := discover(t, test.host).Driver.Problem
			if p == nil {
				p = &nvidia.Problem{}
			}
			if p.Kind != test.kind || !strings.Contains(p.What, test.what) {
				t.Errorf("Problem = %+v, want %s, of %q", p, test.kind, test.what)
			}
			if p.Kind != "" && p.Cure == "" {
				t.Errorf("Problem %s has no cure", p.Kind)
			}
		})
	}
}

func TestUnusedGPUHasNoUUID(t *testing.T) {
	h := standin.One()
	h.GPUs[0].UUID = ""
	if g := discover(t, h).GPUs[0]; g.UUID != "" || !g.Usable() {
		t.Errorf("GPU = %+v, want a usable one without UUID", g)
	}
}

func TestExcludedGPUIsNotCounted(t *testing.T) {
	h := standin.Eight()
	h.GPUs[0].Excluded = true
	i := discover(t, h)
	if i.GPUs[0].Usable() || i.GPUs[0].Index != -1 || i.GPUs[1].Index != 0 {
		t.Errorf("indices = %d, %d, want -1 and 0", i.GPUs[0].Index, i.GPUs[1].Index)
	}
}

func TestFingerprintChangesWithInventory(t *testing.T) {
	base := discover(t, standin.MIG()).Fingerprint()
	if again := discover(t, standin.MIG()).Fingerprint(); again != base {
		t.Errorf("Fingerprint() = %s, then %s", base, again)
	}
	changes := map[string]func(*standin.Host){
		"driver":    func(h *standin.Host) { h.Driver = "550.90.07" },
		"libraries": func(h *standin.Host) { h.Libraries = "550.90.07" },
		"GPUs":      func(h *standin.Host) { h.GPUs = append(h.GPUs, standin.Eight().GPUs[0]) },
		"MIG":       func(h *standin.Host) { h.GPUs[0].MIG = map[int][]int{1: {0}} },
	}
	for _, name := range slices.Sorted(maps.Keys(changes)) {
		h := standin.MIG()
		changes[name](&h)
		if discover(t, h).Fingerprint() == base {
			t.Errorf("Fingerprint() is the same with other %s", name)
		}
	}
}

func BenchmarkDiscover(b *testing.B) {
	root := b.TempDir()
	if err := standin.Eight().Write(root); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := nvidia.Discover(root); err != nil {
			b.Fatal(err)
		}
	}
}

func FuzzInformation(f *testing.F) {
	f.Add("Model: \t\t Tesla T4\nGPU UUID: \t GPU-????\nDevice Minor: \t 0\n")
	f.Add("Device Minor: \t x\n:::\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		g := nvidia.GPU{Minor: -1}
		nvidia.Describe(&g, text)
		if strings.Contains(g.UUID, "?") {
			t.Errorf("UUID = %q", g.UUID)
		}
	})
}
