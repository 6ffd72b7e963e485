package supervisor

import (
	"fmt"
	"path"

	"github.com/docker/go-units"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// memoryUse is what the kernel counted around a container's life.
type memoryUse struct {
	// atStart are the counters of the unit's cgroup and of those above it.
	atStart []systemd.Memory
	// atEnd are those of the container's own cgroup, when its process had ended;
	// nil if they were not read.
	atEnd *systemd.Memory
}

// containerMemory returns the counters of the container's own cgroup, which
// exists until Docker has cleaned up after the process; nil afterwards.
func (u *unit) containerMemory() *systemd.Memory {
	own := path.Join(u.cgroup, containerLeaf)
	if levels := u.cgroups.Memory(own); len(levels) > 0 && levels[0].Path == own {
		return &levels[0]
	}
	return nil
}

// noteOOMKills reports the processes of the container that the kernel has killed. Docker's
// event says when to look, and no more: on cgroup v1 it also comes when a cgroup above is
// full, and another program is killed.
func (f *follower) noteOOMKills() {
	if memory := f.unit.containerMemory(); memory != nil {
		f.report.oomKills(memory.Killed)
	}
}

// memoryLimit describes the memory limit for which the kernel killed a process of
// the container; "" when it killed none. If several limits were reached, it is
// the smallest.
func (j *judge) memoryLimit(use memoryUse, ended engine.Container) string {
	levels := since(use.atStart, j.unit.memory())
	var unit systemd.Memory
	if len(levels) > 0 && levels[0].Path == j.unit.cgroup {
		unit = levels[0]
	}
	// Docker does not report a kill for a limit above the container's own.
	if !ended.OOMKilled && unit.Killed == 0 && (use.atEnd == nil || use.atEnd.Killed == 0) {
		return ""
	}
	own := systemd.Memory{}
	if reachedOwnLimit(use.atEnd, unit) {
		own.Limit = ended.Memory
	}
	smallest := smallestReached(own, levels)
	if smallest.Limit == 0 && reachedInside(unit) {
		return "it reached a memory limit that was set inside it"
	}
	return describeLimit(smallest, j.container)
}

// reachedInside says whether a limit below the unit's cgroup was reached.
func reachedInside(unit systemd.Memory) bool { return unit.HitsBelow > unit.Hits }

// reachedOwnLimit says whether the container may have reached its own limit.
// Where the container's counters were not read, the unit's tell.
func reachedOwnLimit(container *systemd.Memory, unit systemd.Memory) bool {
	if container != nil {
		return container.Hits > 0
	}
	return unit.Killed <= 0 || reachedInside(unit)
}

// smallestReached returns the level with the smallest limit that was reached:
// the container's own, or one of those above it. Its limit is 0 if no limit was
// reached.
func smallestReached(own systemd.Memory, levels []systemd.Memory) systemd.Memory {
	smallest := own
	for _, level := range levels {
		if level.Hits > 0 && level.Limit > 0 && (smallest.Limit == 0 || level.Limit < smallest.Limit) {
			smallest = level
		}
	}
	return smallest
}

// describeLimit says where the limit of a level is set, and how much it is. The
// container's own level has no path.
func describeLimit(level systemd.Memory, c *spec.Container) string {
	size := units.BytesSize(float64(level.Limit))
	switch {
	case level.Limit == 0:
		return "the host's memory of " + units.BytesSize(hostMemory()) + " was used up (use a larger machine, or set mem_limit for what uses most)"
	case level.Path != "":
		return fmt.Sprintf("it reached the limit of %s, %s (raise MemoryMax=)", path.Base(level.Path), size)
	case c.Run != nil:
		return fmt.Sprintf("it reached its own limit of %s (raise --memory)", size)
	}
	return fmt.Sprintf("it reached its own limit of %s (raise mem_limit)", size)
}

// since returns the counters of now without what was counted before.
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

// hostMemory returns the size of the host's memory in bytes.
func hostMemory() float64 {
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return float64(info.Totalram) * float64(info.Unit)
}
