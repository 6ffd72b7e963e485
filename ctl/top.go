package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
)

// topFlags are the flags of top.
type topFlags struct {
	once, asJSON bool
	interval     time.Duration
}

func (h Host) topCommand() *cobra.Command {
	var f topFlags
	cmd := &cobra.Command{
		Use:   "top [NAME...]",
		Short: "show what the containers use now",
		Long: `Shows the processor time, memory, tasks and disk use of every container that
dockhost runs, also of those in units that call dockhost run, the busiest first. The
figures are those of the unit's cgroup; 100 % CPU is one processor. On a terminal it
shows them again and again until you press Ctrl-C, and otherwise once.

Exit status: 0 on success, 1 when a container does not exist.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE:              func(cmd *cobra.Command, names []string) error { return h.top(cmd.Context(), names, f) },
	}
	cmd.Flags().BoolVar(&f.once, "once", false, "show the figures once, also on a terminal")
	cmd.Flags().DurationVar(&f.interval, "interval", 2*time.Second, "measure for this `TIME`")
	cmd.Flags().BoolVar(&f.asJSON, "json", false, "print JSON, once")
	return cmd
}

// top shows what the containers use, once or again and again.
func (h Host) top(ctx context.Context, names []string, f topFlags) error {
	if f.interval < 100*time.Millisecond {
		return errors.New("--interval: cannot measure for less than 100ms")
	}
	f.once = f.once || f.asJSON || h.width() == 0
	before, err := h.measure(ctx, names)
	if err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(f.interval):
		}
		now, err := h.measure(ctx, names)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // the caller has ended it
		}
		if err != nil {
			return err
		}
		loads := compare(before, now)
		before = now
		switch {
		case f.asJSON:
			return printJSON(h.Out, loads)
		case f.once:
			return h.printLoads(loads)
		}
		fmt.Fprint(h.Out, clearScreen)
		if err := h.printLoads(loads); err != nil {
			return err
		}
	}
}

// sample is what the containers have used up to a time, by their cgroups.
type sample struct {
	at         time.Time
	containers []api.Container
	usage      map[string]api.Usage
}

// measure takes a sample of the named containers, or of all.
func (h Host) measure(ctx context.Context, names []string) (sample, error) {
	s, err := h.gatherStatus(ctx)
	if err != nil {
		return sample{}, err
	}
	if len(names) > 0 {
		if err := pick(&s, names); err != nil {
			return sample{}, err
		}
	}
	m := sample{at: time.Now(), containers: s.Containers, usage: map[string]api.Usage{}}
	for i := range s.Containers {
		if usage, exists := h.Usage(s.Containers[i]); exists {
			m.usage[s.Containers[i].Cgroup] = usage
		}
	}
	return m, nil
}

// topRow is what a container uses now. What is not known is absent.
type topRow struct {
	Name  string    `json:"name"`
	State api.State `json:"state"`
	// CPUPercent is the share of one processor; it can be over 100.
	CPUPercent *float64 `json:"cpu_percent,omitempty"`
	// ReadPerSecond and WrittenPerSecond are bytes.
	ReadPerSecond    *float64 `json:"read_bytes_per_second,omitempty"`
	WrittenPerSecond *float64 `json:"written_bytes_per_second,omitempty"`
	// Usage is what the unit's cgroup uses.
	Usage *api.Usage `json:"usage,omitempty"`
}

// compare returns the load of each container between two samples, the busiest first.
func compare(before, now sample) []topRow {
	loads := make([]topRow, 0, len(now.containers))
	seconds := now.at.Sub(before.at).Seconds()
	rate := func(from, to float64) *float64 {
		perSecond := max(0, to-from) / seconds
		return &perSecond
	}
	for i := range now.containers {
		c := &now.containers[i]
		l := topRow{Name: c.Name, State: c.State}
		usage, isUp := now.usage[c.Cgroup]
		if isUp {
			l.Usage = &usage
		}
		if past, wasUp := before.usage[c.Cgroup]; isUp && wasUp && seconds > 0 {
			l.CPUPercent = rate(100*past.CPUSeconds, 100*usage.CPUSeconds)
			if usage.ReadBytes+usage.WrittenBytes > 0 {
				l.ReadPerSecond = rate(float64(past.ReadBytes), float64(usage.ReadBytes))
				l.WrittenPerSecond = rate(float64(past.WrittenBytes), float64(usage.WrittenBytes))
			}
		}
		loads = append(loads, l)
	}
	slices.SortStableFunc(loads, compareLoads)
	return loads
}

// compareLoads sorts by processor time, then by memory; what is not up is last.
func compareLoads(a, b topRow) int {
	busy := func(l topRow) (cpu, memory float64) {
		if l.Usage == nil {
			return -1, -1
		}
		if l.CPUPercent != nil {
			cpu = *l.CPUPercent
		}
		return cpu, float64(l.Usage.MemoryBytes)
	}
	aCPU, aMemory := busy(a)
	bCPU, bMemory := busy(b)
	return cmp.Or(cmp.Compare(bCPU, aCPU), cmp.Compare(bMemory, aMemory))
}

// printLoads prints a table.
func (h Host) printLoads(loads []topRow) error {
	if len(loads) == 0 {
		_, err := fmt.Fprintln(h.Out, "no containers")
		return err
	}
	columns := []column{
		{title: "NAME", least: 12},
		{title: "STATE", drop: 3},
		{title: "CPU"},
		{title: "MEMORY"},
		{title: "LIMIT", drop: 2},
		{title: "TASKS", drop: 1},
		{title: "READ", drop: 5},
		{title: "WRITE", drop: 4},
	}
	for i := range loads {
		for at, cell := range loads[i].cells() {
			columns[at].cells = append(columns[at].cells, cell)
		}
	}
	var b strings.Builder
	writeColumns(&b, columns, h.width(), "")
	_, err := fmt.Fprint(h.Out, b.String())
	return err
}

// cells are the columns of a load.
func (l *topRow) cells() []string {
	cells := []string{l.Name, string(l.State), "-", "-", "-", "-", "-", "-"}
	if l.CPUPercent != nil {
		cells[2] = fmt.Sprintf("%.1f %%", *l.CPUPercent)
	}
	if u := l.Usage; u != nil {
		// What runs has memory and tasks: 0 is a cgroup without that controller.
		if u.MemoryBytes > 0 {
			cells[3] = bytesOf(u.MemoryBytes)
		}
		if u.Tasks > 0 {
			cells[5] = fmt.Sprint(u.Tasks)
		}
		if u.MemoryLimitBytes > 0 {
			cells[4] = bytesOf(u.MemoryLimitBytes)
		}
	}
	if l.ReadPerSecond != nil {
		cells[6], cells[7] = bytesOf(int64(*l.ReadPerSecond))+"/s", bytesOf(int64(*l.WrittenPerSecond))+"/s"
	}
	return cells
}
