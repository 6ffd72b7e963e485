// Package nvidia finds NVIDIA's GPUs, loads the driver's modules and makes device
// nodes. It reads /proc, /dev and sysfs and needs neither NVML nor cgo. Package
// cdispec describes the GPUs to containers. Package nvidia must not know
// containers, units or Docker.
package nvidia
