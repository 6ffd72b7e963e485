// Package real tests GPUs in a container on a machine with GPUs, without Docker,
// systemd or a network. test/gpu/run.sh runs it.
package real
