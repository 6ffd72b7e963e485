package api

// Details are the facts about one container that dockhostctl status NAME shows. They are
// gathered on the host by dockhostctl itself.
type Details struct {
	// Usage is what the cgroup of the unit uses; absent when the unit does not run.
	Usage *Usage `json:"usage,omitempty"`
	// History are the last updates, the newest first.
	History []HistoryEntry `json:"history,omitempty"`
	// Output are the last lines that the container has written.
	Output []string `json:"output,omitempty"`
}

// Usage is what a cgroup uses, and its limits.
type Usage struct {
	// MemoryBytes is what it uses now, MemoryPeakBytes the most that it has used, 0 where
	// the kernel does not know it, MemoryLimitBytes its limit, 0 for none.
	MemoryBytes      int64 `json:"memory_bytes"`
	MemoryPeakBytes  int64 `json:"memory_peak_bytes,omitempty"`
	MemoryLimitBytes int64 `json:"memory_limit_bytes,omitempty"`
	// OOMKills is how many of its processes the kernel has killed for lack of memory.
	OOMKills int64 `json:"oom_kills"`
	// CPUSeconds is the processor time that it has used, CPULimit the number of
	// processors that it may use, 0 for all.
	CPUSeconds float64 `json:"cpu_seconds"`
	CPULimit   float64 `json:"cpu_limit,omitempty"`
	// ThrottledSeconds is how long it had to wait because of that limit.
	ThrottledSeconds float64 `json:"throttled_seconds,omitempty"`
	// Tasks is the number of its processes and threads, TasksLimit their limit, 0 for none.
	Tasks      int64 `json:"tasks"`
	TasksLimit int64 `json:"tasks_limit,omitempty"`
	// ReadBytes and WrittenBytes are what it has read from disks and written to them;
	// absent where nobody counts it.
	ReadBytes    int64 `json:"read_bytes,omitempty"`
	WrittenBytes int64 `json:"written_bytes,omitempty"`
	// Pressure is the share of the last 10 seconds, in percent, in which some of its tasks
	// waited for a resource (PSI); absent on cgroup v1.
	Pressure *Pressure `json:"pressure,omitempty"`
}

// Pressure are percentages.
type Pressure struct {
	CPU    float64 `json:"cpu"`
	Memory float64 `json:"memory"`
	IO     float64 `json:"io"`
}
