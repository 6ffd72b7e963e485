// Command dockhost-runtime is the OCI runtime that Docker calls for a container
// that dockhost supervises. It puts the container into the cgroup that the
// supervisor chose (package placement), and then executes the real runtime: runc,
// crun or another. Docker's shim starts it four to five times for each start of a
// container, so it imports only the standard library, x/sys/unix and small packages of
// ours, starts no goroutine, and keeps no state.
//
// It must never disturb a container that dockhost does not manage: such a call
// reaches runc with its arguments unchanged.
package main

import (
	"os"

	"github.com/dockhost/dockhost/supervisor/placement"
)

func main() {
	p := program{
		placements: placement.Dir,
		cgroups:    "/sys/fs/cgroup",
		self:       "/proc/self/exe",
		exec:       execWith,
		stdout:     os.Stdout,
	}
	if isHook(os.Args[1:]) {
		os.Exit(p.hook(os.Args[1:], os.Stdin, os.Stderr))
	}
	os.Exit(p.run(os.Args[1:], os.Environ(), os.Stderr))
}
