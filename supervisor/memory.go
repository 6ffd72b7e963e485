package supervisor

import (
	"fmt"
	"path"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/systemd"
)

// wantOfMemory says which limit a process of the container was killed for, and
// how much that is; "" when none was killed. before is what the kernel counted
// when the container was started: the cgroups are older than it, but for the
// container's own, which is gone with it.
func (s *Supervisor) wantOfMemory(before []systemd.Memory, found engine.Container) string {
	levels := since(before, s.Cgroups.Memory(s.cgroup))
	var unit systemd.Memory
	if len(levels) > 0 && levels[0].Path == s.cgroup {
		unit = levels[0]
	}
	if !found.OOMKilled && unit.Killed == 0 {
		return ""
	}
	// What reached its limit is known of cgroup v2 alone. On v1 any cgroup may
	// have made room for itself, and of the container's own nothing is left.
	var smallest systemd.Memory
	below := unit.HitsBelow > unit.Hits
	if found.Memory > 0 && (below || unit.Killed == 0) {
		smallest.Limit = found.Memory
	}
	for _, level := range levels {
		if level.Hits > 0 && level.Limit > 0 && (smallest.Limit == 0 || level.Limit < smallest.Limit) {
			smallest = level
		}
	}
	size := units.BytesSize(float64(smallest.Limit))
	switch {
	case smallest.Limit == 0 && below:
		return "it reached a memory limit that was set within it"
	case smallest.Limit == 0:
		return "the host had no more, of " + units.BytesSize(hostMemory())
	case smallest.Path == "":
		return fmt.Sprintf("it reached its own limit of %s (%s)", size, s.memoryKey())
	}
	return fmt.Sprintf("it reached the limit of %s, %s (MemoryMax=)", path.Base(smallest.Path), size)
}

// memoryKey is how the container's own limit is written where it is declared.
func (s *Supervisor) memoryKey() string {
	if s.spec.Run != nil {
		return "--memory"
	}
	return "mem_limit"
}

// since takes off what was counted before.
func since(before, now []systemd.Memory) []systemd.Memory {
	counted := map[string]systemd.Memory{}
	for _, level := range before {
		counted[level.Path] = level
	}
	for i, level := range now {
		old := counted[level.Path]
		now[i].Hits -= old.Hits
		now[i].HitsBelow -= old.HitsBelow
		now[i].Killed -= old.Killed
	}
	return now
}

func hostMemory() float64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return float64(info.Totalram) * float64(info.Unit)
}
