package attachment

// Check is what `dockhost gpu check` is asked: whether a container that runs
// can still use its devices.
type Check struct {
	// Pid is the container's first process.
	Pid int `json:"pid"`
	// Nodes are the device nodes that it was given.
	Nodes []Node `json:"nodes"`
	// Since is when the container was started, in microseconds of
	// CLOCK_MONOTONIC: what the kernel said of a GPU before does not count.
	Since int64 `json:"since"`
	// NVIDIA says that there are NVIDIA's GPUs among the devices, and Buses are
	// where they are on the PCI bus ("0000:01:00.0"); none is anywhere.
	NVIDIA bool     `json:"nvidia"`
	Buses  []string `json:"buses"`
}

// Node is a device node.
type Node struct {
	// Path is in the container.
	Path  string `json:"path"`
	Major uint32 `json:"major"`
	Minor uint32 `json:"minor"`
}

// Found is the answer: Lost says which device cannot be used and why, and is
// "" when all is well.
type Found struct {
	Lost string `json:"lost"`
}
