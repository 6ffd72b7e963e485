package systemd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestUsage(t *testing.T) {
	const unit = "/system.slice/web.service"
	v2 := map[string]string{
		"cgroup.controllers":      "cpu memory\n",
		"system.slice/memory.max": "1000\n",
		unit + "/memory.max":      "max\n",
		unit + "/memory.current":  "500\n",
		unit + "/memory.peak":     "700\n",
		unit + "/memory.events":   "oom 2\noom_kill 1\n",
		unit + "/pids.current":    "3\n",
		unit + "/pids.max":        "max\n",
		unit + "/cpu.stat":        "usage_usec 1500000\nthrottled_usec 20\n",
		unit + "/cpu.max":         "50000 100000\n",
		unit + "/io.stat":         "8:0 rbytes=4096 wbytes=10 rios=1 wios=1\n8:16 rbytes=1 wbytes=0\n",
		unit + "/cpu.pressure":    "some avg10=1.50 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.00\n",
		unit + "/memory.pressure": "some avg10=0.00 avg60=0.00\n",
		unit + "/io.pressure":     "broken\n",
	}
	v1 := map[string]string{
		"memory" + unit + "/memory.limit_in_bytes":                    "9223372036854771712\n",
		"memory" + unit + "/memory.usage_in_bytes":                    "500\n",
		"memory" + unit + "/memory.max_usage_in_bytes":                "700\n",
		"pids" + unit + "/pids.current":                               "3\n",
		"pids" + unit + "/pids.max":                                   "9\n",
		"blkio" + unit + "/blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\n8:0 Write 10\n8:0 Total 4106\nTotal 4106\n",
		"cpu,cpuacct" + unit + "/cpuacct.usage":                       "1500000000\n",
		"cpu,cpuacct" + unit + "/cpu.cfs_quota_us":                    "-1\n",
		"cpu,cpuacct" + unit + "/cpu.cfs_period_us":                   "100000\n",
	}
	tests := []struct {
		name  string
		files map[string]string
		want  Usage
	}{
		{"v2", v2, Usage{
			Memory: 500, MemoryPeak: 700, MemoryLimit: 1000, Killed: 1, CPU: 1500 * time.Millisecond, Throttled: 20 * time.Microsecond,
			CPULimit: 0.5, Tasks: 3, Read: 4097, Written: 10, Pressure: map[string]float64{"cpu": 1.5, "memory": 0},
		}},
		{"v1", v1, Usage{Memory: 500, MemoryPeak: 700, CPU: 1500 * time.Millisecond, Tasks: 3, TasksLimit: 9, Read: 4096, Written: 10}},
	}
	for _, test := range tests {
		root := t.TempDir()
		for name, text := range test.files {
			path := filepath.Join(root, cgroupMount, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, found := Cgroups{Root: root}.Usage(unit)
		if diff := cmp.Diff(test.want, got); diff != "" || !found {
			t.Errorf("%s: Usage() found = %t (-want +got):\n%s", test.name, found, diff)
		}
		if got, found := (Cgroups{Root: root}).Usage("/system.slice/other.service"); found {
			t.Errorf("%s: Usage() of a unit that does not run = %+v, want none", test.name, got)
		}
	}
}
