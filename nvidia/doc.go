// Package nvidia will own NVIDIA GPUs: finding them from /proc, /dev and sysfs
// without NVML and cgo, making their device nodes, and describing them to
// containers by the Container Device Interface. Nothing of it exists yet: a
// container's request for a GPU is kept as it was declared and handed to
// Docker, which needs NVIDIA's own container toolkit on the host.
package nvidia
