package systemd

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMemory(t *testing.T) {
	const unit = "/system.slice/web.service"
	tests := []struct {
		name  string
		files map[string]string
		want  []Memory
	}{
		{"v2", map[string]string{
			"system.slice/memory.max":                      "max\n",
			"system.slice/memory.events":                   "low 0\nhigh 0\nmax 9\noom 5\noom_kill 6\noom_group_kill 0\n",
			"system.slice/memory.events.local":             "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n",
			"system.slice/web.service/memory.max":          "104857600\n",
			"system.slice/web.service/memory.events":       "max 7\noom 4\noom_kill 3\n",
			"system.slice/web.service/memory.events.local": "max 7\noom 1\noom_kill 0\n",
		}, []Memory{
			{Path: unit, Limit: 100 << 20, Hits: 1, HitsBelow: 4, Killed: 3},
			{Path: "/system.slice", HitsBelow: 5, Killed: 6},
		}},
		{"v2 without memory", map[string]string{"cgroup.controllers": ""}, nil},
		{"v1", map[string]string{
			"memory/memory.limit_in_bytes":                          "9223372036854771712\n",
			"memory/system.slice/memory.limit_in_bytes":             "9223372036854771712\n",
			"memory/system.slice/memory.failcnt":                    "0\n",
			"memory/system.slice/web.service/memory.limit_in_bytes": "104857600\n",
			"memory/system.slice/web.service/memory.failcnt":        "12\n",
			"memory/system.slice/web.service/memory.memsw.failcnt":  "3\n",
			"memory/system.slice/web.service/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		}, []Memory{{Path: unit, Limit: 100 << 20, Hits: 15, Killed: 2}, {Path: "/system.slice"}}},
		{"v1, limits on memory with and without swap that are the same", map[string]string{
			"memory/system.slice/web.service/memory.limit_in_bytes":     "52428800\n",
			"memory/system.slice/web.service/memory.max_usage_in_bytes": "52428800\n",
			"memory/system.slice/web.service/memory.failcnt":            "0\n",
		}, []Memory{{Path: unit, Limit: 50 << 20, Hits: 1}}},
		{"v1 with 64 KiB pages", map[string]string{
			"memory/system.slice/web.service/memory.limit_in_bytes": "9223372036854710272\n",
		}, []Memory{{Path: unit}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for file, text := range test.files {
				write(t, filepath.Join(root, cgroupMount, file), text)
			}
			if diff := cmp.Diff(test.want, Cgroups{Root: root}.Memory(unit)); diff != "" {
				t.Errorf("Memory(%q) (-want +got):\n%s", unit, diff)
			}
		})
	}
}
