package supervisor

import (
	"fmt"
	"path"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/systemd"
)

// ownMemory is what the kernel counted of the container's own cgroup, which is
// there until Docker has tidied up behind the process; nil afterwards.
func (s *Supervisor) ownMemory() *systemd.Memory {
	own := path.Join(s.cgroup, containerLeaf)
	if levels := s.Cgroups.Memory(own); len(levels) > 0 && levels[0].Path == own {
		return &levels[0]
	}
	return nil
}

// wantOfMemory says which limit a process of the container was killed for, and
// how much that is; "" when none was killed. Where more than one was reached it
// is the smallest.
func (s *Supervisor) wantOfMemory(c *running, found engine.Container) string {
	above := since(c.memory, s.Cgroups.Memory(s.cgroup))
	var unit systemd.Memory
	if len(above) > 0 && above[0].Path == s.cgroup {
		unit = above[0]
	}
	// Docker does not tell where the limit was not the container's own.
	if !found.OOMKilled && unit.Killed == 0 && (c.own == nil || c.own.Killed == 0) {
		return ""
	}
	below := unit.HitsBelow > unit.Hits
	own := found.Memory
	if c.own != nil && c.own.Hits == 0 || c.own == nil && unit.Killed > 0 && !below {
		own = 0 // not reached
	}
	smallest := systemd.Memory{Limit: own}
	for _, level := range above {
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
