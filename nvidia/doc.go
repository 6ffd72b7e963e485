// Package nvidia finds NVIDIA's GPUs and makes their device nodes, without NVML
// and without cgo: from /proc, /dev and sysfs alone. How they are described to
// containers is package cdi's. It must not know containers, units or Docker.
package nvidia
