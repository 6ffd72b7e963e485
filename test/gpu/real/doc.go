// Package real tests what a container gets of this machine's own GPUs, without
// Docker, systemd and a network: see test/gpu/run.sh.
package real
