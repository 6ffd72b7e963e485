package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// newReported returns a host on which the container one runs with GPU 0, a unit of
// the user's own has a part of GPU 1, and the container two is assigned.
func newReported(t *testing.T) (Machine, rundir.Dir, Inspection) {
	t.Helper()
	root := t.TempDir()
	dir := rundir.Dir(filepath.Join(root, "run/dockhost"))
	for name, container := range map[string]*spec.Container{
		"one":  {Name: "one", GPU: &spec.GPUNeeds{Requests: named("0"), Exclusive: true}},
		"two":  {Name: "two", GPU: &spec.GPUNeeds{Requests: named("1")}},
		"none": {Name: "none"},
	} {
		if err := dir.WriteContainer(container); err != nil {
			t.Fatal(name, err)
		}
	}
	if err := dir.WriteState("one", rundir.State{GPU: "/dev/nvidia0: gone"}); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir.RuntimeDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	for i, p := range []placement.Placement{
		{Unit: "dockhost@one.service", GPUs: []string{"GPU-0"}, Devices: []string{"nvidia.com/gpu=0"}, Exclusive: true},
		{Unit: "own.service", GPUs: []string{"GPU-1/1:0"}, Devices: []string{"nvidia.com/gpu=1:0"}},
		{Unit: "killed.service", GPUs: []string{"GPU-0"}, Devices: []string{"nvidia.com/gpu=0"}},
	} {
		p.CgroupPath = "/system.slice/" + p.Unit + "/container"
		if err := placement.Write(dir.RuntimeDir(), fmt.Sprint(i), p); err != nil {
			t.Fatal(err)
		}
		if p.Unit != "killed.service" {
			mkdir(t, filepath.Join(root, "sys/fs/cgroup", p.CgroupPath))
		}
	}
	process := func(pid, command, cgroup string, files ...string) {
		at := filepath.Join(root, "proc", pid)
		mkdir(t, filepath.Join(at, "fd"))
		for i, file := range files {
			if err := os.Symlink(file, filepath.Join(at, "fd", fmt.Sprint(i))); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range map[string]string{"comm": command + "\n", "cgroup": "0::" + cgroup + "\n"} {
			if err := os.WriteFile(filepath.Join(at, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	process("7", "python", "/system.slice/dockhost@one.service/container/sub", "/dev/null", "/dev/nvidia5", "/dev/nvidia5", "/dev/nvidiactl")
	process("12", "nvidia-smi", "/user.slice", "/dev/nvidia5", "/dev/nvidia-uvm")
	process("13", "bash", "/system.slice/dockhost@one.service/container", "/dev/null")
	return Machine{Root: root}, dir, Inspection{
		Driver: Driver{Loaded: true, Version: "575.57.08"},
		GPUs: Pool{
			{Index: 0, UUID: "GPU-0", BusID: "0000:01:00.0", Minor: 5},
			{Index: 1, UUID: "GPU-1", BusID: "0000:02:00.0", Minor: 1, MIG: []Instance{{Name: "1:0"}}},
		},
		CDI: CDI{Source: "/run/cdi/nvidia.yaml", Devices: []string{"0"}, Stale: []Stale{}},
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestGather(t *testing.T) {
	m, dir, inspection := newReported(t)
	got, err := m.Gather(inspection, dir)
	if err != nil {
		t.Fatal(err)
	}
	want := Report{
		Version: ReportVersion, Driver: inspection.Driver, CDI: inspection.CDI, Notes: []string{},
		GPUs: []CardReport{
			{
				Index: 0, UUID: "GPU-0", Bus: "0000:01:00.0", MIG: []Part{}, Units: []string{"dockhost@one.service"},
				Processes: []Process{{Pid: 7, Command: "python", Unit: "dockhost@one.service"}, {Pid: 12, Command: "nvidia-smi"}},
			},
			{Index: 1, UUID: "GPU-1", Bus: "0000:02:00.0", MIG: []Part{{Name: "1:0"}}, Units: []string{"own.service"}, Processes: []Process{}},
		},
		Containers: []Container{
			{Unit: "dockhost@one.service", Running: true, Devices: []string{"nvidia.com/gpu=0"}, Exclusive: true, Lost: "/dev/nvidia0: gone"},
			{Unit: "dockhost@two.service", Devices: []string{}},
			{Unit: "own.service", Running: true, Devices: []string{"nvidia.com/gpu=1:0"}},
		},
		Problems: []string{"dockhost@one.service has lost a GPU: /dev/nvidia0: gone (run: systemctl restart dockhost@one.service)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Gather() (-want +got):\n%s", diff)
	}
}

// A host without GPUs has no problem unless a container requests one.
func TestGatherWithoutGPUs(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	m := Machine{Root: t.TempDir()}
	inspection := Inspection{Problems: []string{"no driver"}}
	if r, err := m.Gather(inspection, dir); err != nil || !r.Well {
		t.Errorf("Gather() = %+v, %v, want no problem", r, err)
	}
	if err := dir.WriteContainer(&spec.Container{Name: "one", GPU: &spec.GPUNeeds{Requests: named("0")}}); err != nil {
		t.Fatal(err)
	}
	if r, err := m.Gather(inspection, dir); err != nil || r.Well || len(r.Problems) != 1 {
		t.Errorf("Gather() with a container that requests a GPU = %+v, %v, want the problem", r, err)
	}
}

// The claims of others are what assigned containers request and running ones have.
func TestClaims(t *testing.T) {
	m, dir, _ := newReported(t)
	got, err := Claims(dir, "dockhost@two.service", filepath.Join(m.Root, "sys/fs/cgroup"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, claim := range got {
		seen[fmt.Sprint(claim.Holder, claim.Exclusive, claim.GPUs, len(claim.Requests))]++
	}
	if diff := cmp.Diff(map[string]int{
		"dockhost@one.servicetrue [] 1": 1, "dockhost@one.servicetrue [GPU-0] 0": 1, "own.servicefalse [GPU-1/1:0] 0": 1,
	}, seen); diff != "" {
		t.Errorf("Claims() (-want +got):\n%s", diff)
	}
}
