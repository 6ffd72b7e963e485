package ctl

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/gpu"
)

func TestGPU(t *testing.T) {
	const uuid = "GPU-00000000-1111-2222-3333-444444444444"
	for name, test := range map[string]struct {
		report gpu.Report
		code   int
	}{
		"gpu-well": {gpu.Report{
			Well: true, Driver: gpu.Driver{Loaded: true, Version: "575.57.08"}, CDI: gpu.CDI{Source: "/run/cdi/nvidia.yaml", By: "dockhost-nvidia", Stale: []gpu.Stale{{Path: "/etc/cdi/nvidia.yaml", Why: "it is for driver 550.54.15, and 575.57.08 runs"}}},
			Notes: []string{"persistence mode is off"},
			GPUs: []gpu.CardReport{
				{UUID: uuid, Model: "NVIDIA L4", Bus: "0000:00:03.0", Units: []string{"dockhost@a.service"}, Processes: []gpu.Process{{Pid: 4711, Command: "python"}}},
				{Index: 1, UUID: uuid, Bus: "0000:00:04.0", MIG: []gpu.Part{{Name: "1:0"}, {Name: "1:1", UUID: "MIG-1"}}},
			},
			Containers: []gpu.Container{
				{Unit: "dockhost@a.service", Running: true, Devices: []string{"nvidia.com/gpu=0"}, Exclusive: true}, {Unit: "dockhost@b.service"},
			},
		}, exitWell},
		"gpu-none":  {gpu.Report{Well: true}, exitWell},
		"gpu-wrong": {gpu.Report{Driver: gpu.Driver{Loaded: true}, Problems: []string{"one (do this)", "two (do that)"}}, exitNotWell},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			if code, err := GPU(&out, test.report, false, false); code != test.code || err != nil {
				t.Errorf("GPU() = %d, %v, want %d", code, err, test.code)
			}
			golden := filepath.Join("testdata", name+".txt")
			if *update {
				if err := os.WriteFile(golden, out.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), out.String()); diff != "" {
				t.Errorf("%s differs (-want +got), write it with -update:\n%s", golden, diff)
			}
			out.Reset()
			var back gpu.Report
			if _, err := GPU(&out, test.report, true, true); err != nil || json.Unmarshal(out.Bytes(), &back) != nil {
				t.Errorf("GPU() as JSON: %v: %s", err, &out)
			}
			if diff := cmp.Diff(test.report, back); diff != "" {
				t.Errorf("JSON (-want +got):\n%s", diff)
			}
		})
	}
}
