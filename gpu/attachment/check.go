package attachment

// Check asks `dockhost gpu check` whether a running container can still use its
// devices.
type Check struct {
	// Pid is the container's first process.
	Pid int `json:"pid"`
	// Nodes are its device nodes.
	Nodes []Node `json:"nodes"`
	// Since is when the container started, in microseconds of CLOCK_MONOTONIC.
	// Earlier messages of the kernel do not count.
	Since int64 `json:"since"`
	// NVIDIA says that some of the devices are NVIDIA's GPUs, and Buses are their
	// addresses on the PCI bus ("0000:01:00.0"); without any, all GPUs count.
	NVIDIA bool     `json:"nvidia"`
	Buses  []string `json:"buses"`
}

// Node is a device node.
type Node struct {
	// Path is its path in the container.
	Path  string `json:"path"`
	Major uint32 `json:"major"`
	Minor uint32 `json:"minor"`
}

// Found is the answer to a [Check]. Lost says which device cannot be used and why,
// "" if all can be used.
type Found struct {
	Lost string `json:"lost"`
}
