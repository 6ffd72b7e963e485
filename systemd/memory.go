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

// Memory is what the kernel says of the memory of one cgroup.
type Memory struct {
	// Path is the cgroup's ("/system.slice/web.service").
	Path string
	// Limit is the most that its processes may use, in bytes; 0 for no limit.
	Limit int64
	// Hits is how often the limit was reached: on cgroup v2 so that a process
	// had to be killed, on v1 (failcnt) also where other pages could be freed.
	Hits int64
	// HitsBelow is Hits of the cgroup and all below it, those that are gone
	// included. v2 alone has it.
	HitsBelow int64
	// Killed counts the processes of the cgroup that were killed for want of
	// memory, be it the host's; on v2 also those of the cgroups below it.
	Killed int64
}

// Memory describes a cgroup and those above it, the lowest first. It is empty
// where the host accounts for no memory, and lacks cgroups that are not there.
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

// memoryV2 reads the files that cgroup-v2.rst of the kernel describes.
func memoryV2(dir string) (Memory, bool) {
	limit, err := os.ReadFile(filepath.Join(dir, "memory.max"))
	if err != nil {
		return Memory{}, false
	}
	all, own := counters(dir, "memory.events"), counters(dir, "memory.events.local")
	return Memory{Limit: number(limit), Hits: own["oom"], HitsBelow: all["oom"], Killed: all["oom_kill"]}, true
}

// memoryV1 reads the files of cgroup v1 (memory.rst), where no counter includes
// those below. Where the limit on memory and swap together is the same as the
// one on memory, Linux 6.18 counts no hits of either: the peak shows one.
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
	found := map[string]int64{}
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return found
	}
	for line := range strings.Lines(string(raw)) {
		name, value, _ := strings.Cut(line, " ")
		found[name] = number([]byte(value))
	}
	return found
}

// number is 0 for "max", and for what v1 has in its place: the largest number
// of whole pages.
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
