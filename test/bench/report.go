package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// The goals, as ratios. They are printed, not enforced: a machine that is busy or slow fails nothing.
const (
	startGoal   = 1.10
	runtimeGoal = 1.05
)

// report is all that was measured.
type report struct {
	ways   ways
	calls  calls
	memory memories
}

func (r report) write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', tabwriter.AlignRight)
	r.writeStart(t)
	r.writeParts(t)
	r.writeStop(t)
	r.writeCalls(t)
	r.writeMemory(t)
	return t.Flush()
}

func (r report) writeStart(w io.Writer) {
	heading(w, "start", "median", "middle half", "ratio", "goal", "")
	for _, way := range r.ways.list() {
		ratio, goal, to := "", "", ""
		switch way {
		case r.ways.unit:
			ratio, goal, to = r.ratio(way, r.ways.docker), most(startGoal), "to "+r.ways.docker.name
		case r.ways.passThrough:
			ratio, goal, to = r.ratio(way, r.ways.plain), most(runtimeGoal), "to --runtime "+runtimePlain
		case r.ways.plain:
			ratio, to = r.ratio(way, r.ways.docker), "the noise: it is the same"
		}
		row(w, way.name, ms(way.started.median()), spread(way.started), ratio, goal, to)
	}
	blank(w)
}

func (r report) ratio(way, base *way) string {
	return fmt.Sprintf("%.2f", way.started.ratio(base.started))
}

func (r report) writeParts(w io.Writer) {
	heading(w, "of which", "until created", "until running", "until it returns")
	for _, way := range r.ways.list() {
		row(w, way.name, ms(way.asked.median()), ms(way.made.median()), ms(way.returned.median()))
	}
	blank(w)
}

func (r report) writeStop(w io.Writer) {
	heading(w, "stop", "median", "middle half", "ratio")
	docker, unit := r.ways.docker, r.ways.unit
	row(w, "docker stop, docker rm", ms(docker.stopped.median()), spread(docker.stopped), "")
	row(w, "systemctl stop", ms(unit.stopped.median()), spread(unit.stopped), fmt.Sprintf("%.2f", unit.stopped.ratio(docker.stopped)))
	blank(w)
}

func (r report) writeCalls(w io.Writer) {
	heading(w, "one call of the runtime", "median", "middle half", "added")
	plain, through := r.calls.plain, r.calls.passThrough
	row(w, plainPath, ms(plain.median()), spread(plain), "")
	row(w, "dockhost-runtime before it", ms(through.median()), spread(through), ms(through.median()-plain.median()))
	blank(w)
}

func (r report) writeMemory(w io.Writer) {
	heading(w, "memory when idle", "RSS", "PSS", "anonymous")
	for _, one := range []struct {
		name string
		memory
	}{{"docker run, attached", r.memory.client}, {"dockhost supervise", r.memory.supervisor}} {
		row(w, one.name, mib(one.rss), mib(one.pss), mib(one.anonymous))
	}
}

func heading(w io.Writer, cells ...string) { row(w, cells...) }

// row writes the cells of a line: the first one to the left, the others to the right.
func row(w io.Writer, cells ...string) {
	fmt.Fprintf(w, "%-30s", cells[0])
	for _, cell := range cells[1:] {
		fmt.Fprintf(w, "\t%s", cell)
	}
	fmt.Fprintln(w, "\t")
}

func blank(w io.Writer) { fmt.Fprintln(w) }

func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func spread(s samples) string {
	return ms(s.quantile(0.25)) + " - " + ms(s.quantile(0.75))
}

func mib(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

func most(goal float64) string { return fmt.Sprintf("<= %.2f", goal) }
