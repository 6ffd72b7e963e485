package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/NVIDIA/go-nvml/pkg/nvml/mock/dgxa100"
	mockserver "github.com/NVIDIA/go-nvml/pkg/nvml/mock/server"
	specs "tags.cncf.io/container-device-interface/specs-go"
)

const driver = "550.54.15" // the mock's version

// dgx is a host with the driver's files and a mock of NVML with eight A100s.
func dgx(t *testing.T) host {
	t.Helper()
	root := t.TempDir()
	for _, path := range []string{
		"/usr/lib/x86_64-linux-gnu/libcuda.so." + driver, "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so." + driver,
		"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
		"/dev/nvidia0", "/dev/nvidia1", "/dev/nvidia2", "/dev/nvidia3",
		"/dev/nvidia4", "/dev/nvidia5", "/dev/nvidia6", "/dev/nvidia7",
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	server := dgxa100.New()
	server.SystemGetDriverVersionFunc = func() (string, nvml.Return) { return driver, nvml.SUCCESS }
	for _, device := range server.Devices {
		device.(*mockserver.Device).GetMaxMigDeviceCountFunc = func() (int, nvml.Return) { return 0, nvml.SUCCESS }
	}
	return host{root: root, hook: "/usr/libexec/dockhost/dockhost-nvidia", nvml: server}
}

func TestGenerateDescribesEightGPUs(t *testing.T) {
	generated, err := generate(dgx(t))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := generated.print(&out); err != nil {
		t.Fatal(err)
	}
	var spec specs.Spec
	if err := json.Unmarshal(out.Bytes(), &spec); err != nil {
		t.Fatal(err)
	}
	if spec.Kind != "nvidia.com/gpu" {
		t.Errorf("Kind = %q", spec.Kind)
	}
	var names []string
	for _, device := range spec.Devices {
		names = append(names, device.Name)
	}
	for _, want := range []string{"0", "7", "all"} {
		if !slices.Contains(names, want) {
			t.Errorf("devices = %q, want them to contain %s", names, want)
		}
	}
	if len(spec.Devices) != 8+8+1 {
		t.Errorf("devices = %q, want eight by index, eight by UUID, and all", names)
	}
	for _, hook := range spec.ContainerEdits.Hooks {
		if hook.Path != "/usr/libexec/dockhost/dockhost-nvidia" || hook.Args[1] != "hook" {
			t.Errorf("hook = %s %q, want dockhost-nvidia hook NAME", hook.Path, hook.Args)
		}
	}
	if len(spec.ContainerEdits.Hooks) == 0 {
		t.Error("no hook")
	}
}

func TestSaveReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "cdi", "nvidia.yaml")
	d := &description{&specs.Spec{Kind: "nvidia.com/gpu"}}
	for range 2 {
		if err := d.save(path); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("directory = %v, %v, want one file", entries, err)
	}
}

func TestUnknownCommand(t *testing.T) {
	for _, args := range [][]string{{"x"}, {"x", "y"}, {"x", "generate", "z"}} {
		if err := run(t.Context(), args, &bytes.Buffer{}); err != errUsage {
			t.Errorf("run(%q) = %v, want %v", args, err, errUsage)
		}
	}
}
