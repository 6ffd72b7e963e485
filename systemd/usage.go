package systemd

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Usage is what a cgroup uses, with the cgroups below it, and its limits.
type Usage struct {
	// Memory is in bytes. Peak is the most that it used, 0 where the kernel does not know
	// it, Limit the lowest limit of it and the cgroups above, 0 for none.
	Memory, MemoryPeak, MemoryLimit int64
	// Killed is how many processes were killed for lack of memory.
	Killed int64
	// CPU is the processor time that it has used, Throttled how long it waited because of
	// CPULimit, the number of processors that it may use; 0 for all.
	CPU, Throttled time.Duration
	CPULimit       float64
	// Tasks are its processes and threads, TasksLimit their limit, 0 for none.
	Tasks, TasksLimit int64
	// Read and Written are the bytes that it has read from disks and written to them, 0
	// where the unit's IOAccounting= is off.
	Read, Written int64
	// Pressure has, by "cpu", "memory" and "io", the share of the last 10 seconds, in
	// percent, in which some tasks waited (PSI); nil on cgroup v1 and without PSI.
	Pressure map[string]float64
}

// Usage returns what a cgroup uses; false if it does not exist.
func (c Cgroups) Usage(cgroup string) (Usage, bool) {
	if cgroup == "" || cgroup == "/" {
		return Usage{}, false
	}
	var u Usage
	for _, level := range c.Memory(cgroup) {
		if level.Path == cgroup {
			u.Killed = level.Killed
		}
		if level.Limit > 0 && (u.MemoryLimit == 0 || level.Limit < u.MemoryLimit) {
			u.MemoryLimit = level.Limit
		}
	}
	base := filepath.Join(c.Root, cgroupMount)
	if c.Unified() {
		return usageV2(filepath.Join(base, cgroup), u)
	}
	return usageV1(base, cgroup, u)
}

// usageV2 reads the files of cgroup v2 (the kernel's cgroup-v2.rst).
func usageV2(dir string, u Usage) (Usage, bool) {
	if !isDir(dir) {
		return u, false
	}
	u.Memory, u.MemoryPeak = readNumber(dir, "memory.current"), readNumber(dir, "memory.peak")
	u.Tasks, u.TasksLimit = readNumber(dir, "pids.current"), readNumber(dir, "pids.max")
	cpu := counters(dir, "cpu.stat")
	u.CPU = time.Duration(cpu["usage_usec"]) * time.Microsecond
	u.Throttled = time.Duration(cpu["throttled_usec"]) * time.Microsecond
	u.Read, u.Written = sumV2(dir, "io.stat")
	if raw, err := os.ReadFile(filepath.Join(dir, "cpu.max")); err == nil {
		quota, period, _ := strings.Cut(strings.TrimSpace(string(raw)), " ")
		u.CPULimit = processors(number([]byte(quota)), number([]byte(period)))
	}
	for _, resource := range []string{"cpu", "memory", "io"} {
		raw, err := os.ReadFile(filepath.Join(dir, resource+".pressure"))
		if share, found := pressure(raw); err == nil && found {
			if u.Pressure == nil {
				u.Pressure = map[string]float64{}
			}
			u.Pressure[resource] = share
		}
	}
	return u, true
}

// usageV1 reads the files of cgroup v1.
func usageV1(base, cgroup string, u Usage) (Usage, bool) {
	memory, cpu, pids := filepath.Join(base, "memory", cgroup), filepath.Join(base, "cpu,cpuacct", cgroup), filepath.Join(base, "pids", cgroup)
	if !isDir(memory) && !isDir(cpu) && !isDir(pids) {
		return u, false
	}
	u.Memory, u.MemoryPeak = readNumber(memory, "memory.usage_in_bytes"), readNumber(memory, "memory.max_usage_in_bytes")
	u.Tasks, u.TasksLimit = readNumber(pids, "pids.current"), readNumber(pids, "pids.max")
	u.CPU = time.Duration(readNumber(cpu, "cpuacct.usage"))
	u.Throttled = time.Duration(counters(cpu, "cpu.stat")["throttled_time"])
	u.CPULimit = processors(readNumber(cpu, "cpu.cfs_quota_us"), readNumber(cpu, "cpu.cfs_period_us"))
	u.Read, u.Written = sumV1(filepath.Join(base, "blkio", cgroup), "blkio.throttle.io_service_bytes_recursive")
	return u, true
}

// sumV2 adds up the lines of all disks: "8:0 rbytes=4096 wbytes=0 rios=1 ...".
func sumV2(dir, file string) (read, written int64) {
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, 0
	}
	for field := range strings.FieldsSeq(string(raw)) {
		switch key, value, _ := strings.Cut(field, "="); key {
		case "rbytes":
			read += number([]byte(value))
		case "wbytes":
			written += number([]byte(value))
		}
	}
	return read, written
}

// sumV1 adds up the lines of all disks: "8:0 Read 4096".
func sumV1(dir, file string) (read, written int64) {
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0, 0
	}
	for line := range strings.Lines(string(raw)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) != 3:
		case fields[1] == "Read":
			read += number([]byte(fields[2]))
		case fields[1] == "Write":
			written += number([]byte(fields[2]))
		}
	}
	return read, written
}

// processors returns the number of processors of a quota, 0 for no limit.
func processors(quota, period int64) float64 {
	if quota <= 0 || period <= 0 {
		return 0
	}
	return math.Round(float64(quota)/float64(period)*1000) / 1000
}

// pressure returns avg10 of the line "some avg10=0.00 avg60=...".
func pressure(raw []byte) (share float64, found bool) {
	line, _, _ := bytes.Cut(raw, []byte("\n"))
	for field := range strings.FieldsSeq(string(line)) {
		if value, isShare := strings.CutPrefix(field, "avg10="); isShare {
			share, err := strconv.ParseFloat(value, 64)
			return share, err == nil
		}
	}
	return 0, false
}

// readNumber reads a file with a number, 0 if it has none.
func readNumber(dir, file string) int64 {
	raw, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return 0
	}
	return number(raw)
}
