package systemd

import (
	"bytes"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is the memory accounting of one cgroup.
type Memory struct {
	// Path is the path of the cgroup ("/system.slice/web.service").
	Path string
	// Limit is the memory limit in bytes, 0 for no limit.
	Limit int64
	// Hits is how often the limit was reached. On cgroup v2 it counts the times when a
	// process had to be killed, on v1 (failcnt) also the times when the kernel could
	// free pages.
	Hits int64
	// HitsBelow is Hits of the cgroup and all cgroups below it, including removed
	// ones. It is 0 on v1.
	HitsBelow int64
	// Killed is the number of the cgroup's processes that the kernel killed because the
	// cgroup or the host was out of memory. On v2 it includes the cgroups below.
	Killed int64
}

// Memory returns the accounting of a cgroup and of those above it, the lowest first. It
// skips cgroups that do not exist, and is empty without memory accounting.
func (c Cgroups) Memory(cgroup string) []Memory {
	base, read := filepath.Join(c.Root, cgroupMount), memoryV2
	if v1 := filepath.Join(base, "memory"); isDir(v1) {
		base, read = v1, memoryV1
	}
	var levels []Memory
	for ; cgroup != "/" && cgroup != "." && cgroup != ""; cgroup = path.Dir(cgroup) {
		if m, found := read(filepath.Join(base, cgroup)); found {
			m.Path = cgroup
			levels = append(levels, m)
		}
	}
	return levels
}

// memoryV2 reads the files of cgroup v2 (the kernel's cgroup-v2.rst).
func memoryV2(dir string) (Memory, bool) {
	limit, err := os.ReadFile(filepath.Join(dir, "memory.max"))
	if err != nil {
		return Memory{}, false
	}
	all, own := counters(dir, "memory.events"), counters(dir, "memory.events.local")
	return Memory{Limit: number(limit), Hits: own["oom"], HitsBelow: all["oom"], Killed: all["oom_kill"]}, true
}

// memoryV1 reads the files of cgroup v1 (memory.rst), whose counters do not include the
// cgroups below. If the limit on memory plus swap equals the limit on memory, Linux
// 6.18 counts hits of neither. Then the peak usage shows that the limit was reached.
func memoryV1(dir string) (Memory, bool) {
	limit, err := os.ReadFile(filepath.Join(dir, "memory.limit_in_bytes"))
	if err != nil {
		return Memory{}, false
	}
	m := Memory{Limit: number(limit), Killed: counters(dir, "memory.oom_control")["oom_kill"]}
	for _, file := range []string{"memory.failcnt", "memory.memsw.failcnt"} {
		if raw, err := os.ReadFile(filepath.Join(dir, file)); err == nil {
			m.Hits += number(raw)
		}
	}
	if peak, err := os.ReadFile(filepath.Join(dir, "memory.max_usage_in_bytes")); err == nil && m.Limit > 0 && number(peak) >= m.Limit {
		m.Hits++
	}
	return m, true
}

// counters reads lines of "NAME NUMBER".
func counters(dir, file string) map[string]int64 {
	values := map[string]int64{}
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return values
	}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, " ")
		values[name] = number([]byte(value))
	}
	return values
}

// number parses a number. It returns 0 for "max" and for v1's equivalent, the largest
// number of whole pages.
func number(raw []byte) int64 {
	n, err := strconv.ParseInt(string(bytes.TrimSpace(raw)), 10, 64)
	const largestPage = 64 << 10
	if err != nil || n > math.MaxInt64-largestPage {
		return 0
	}
	return n
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}
