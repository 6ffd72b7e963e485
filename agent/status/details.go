package status

import (
	"context"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/oneline"
	"github.com/dockhost/dockhost/systemd"
)

const (
	// outputLines is how many of the last lines of a container are in its details.
	outputLines = 10
	// maxOutputLine is the length to which each is cut, in characters.
	maxOutputLine = 512
)

// Details returns what the cgroup of a container's unit uses, and the last lines of its
// output, as far as the caller may read them.
func (g Gatherer) Details(ctx context.Context, c api.Container) api.Details {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	var details api.Details
	if usage, found := Usage(g.Root, c.Cgroup); found {
		details.Usage = &usage
	}
	output, err := systemd.Output(ctx, c.Unit, systemd.UserOf(c.Cgroup), time.Unix(0, 0), outputLines)
	if err != nil {
		return details // the caller may not read the journal
	}
	for _, line := range output {
		details.Output = append(details.Output, oneline.Of(line, maxOutputLine))
	}
	return details
}

// Usage returns what a cgroup uses; false if it does not exist. Root is a prefix of the
// host's paths, "" on a real host.
func Usage(root, cgroup string) (api.Usage, bool) {
	u, found := systemd.Cgroups{Root: root}.Usage(cgroup)
	usage := api.Usage{
		MemoryBytes: u.Memory, MemoryPeakBytes: u.MemoryPeak, MemoryLimitBytes: u.MemoryLimit, OOMKills: u.Killed,
		CPUSeconds: u.CPU.Seconds(), CPULimit: u.CPULimit, ThrottledSeconds: u.Throttled.Seconds(),
		Tasks: u.Tasks, TasksLimit: u.TasksLimit, ReadBytes: u.Read, WrittenBytes: u.Written,
	}
	if u.Pressure != nil {
		usage.Pressure = &api.Pressure{CPU: u.Pressure["cpu"], Memory: u.Pressure["memory"], IO: u.Pressure["io"]}
	}
	return usage, found
}
