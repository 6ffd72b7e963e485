package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
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
	var out bytes.Buffer
	r.writeStart(&out)
	r.writeParts(&out)
	r.writeStop(&out)
	r.writeCalls(&out)
	r.writeMemory(&out)
	_, err := out.WriteTo(w)
	return err
}

func (r report) writeStart(w io.Writer) {
	row(w, "start", "median", "25 %", "75 %", "ratio", "goal")
	for _, way := range r.ways.list() {
		row(w, way.name, append(spread(way.started), r.compare(way)...)...)
	}
	fmt.Fprintln(w)
}

// compare returns the cells that set one way beside the one that it is measured by.
func (r report) compare(w *way) []string {
	switch w {
	case r.ways.unit:
		return []string{ratio(w.started, r.ways.docker.started), most(startGoal), "to " + r.ways.docker.name}
	case r.ways.passThrough:
		return []string{ratio(w.started, r.ways.plain.started), most(runtimeGoal), "to " + r.ways.plain.name}
	case r.ways.plain:
		return []string{ratio(w.started, r.ways.docker.started), "", "the same to Docker: this is the noise"}
	}
	return nil
}

func (r report) writeParts(w io.Writer) {
	row(w, "of which", "to create", "to running", "to the end")
	for _, way := range r.ways.list() {
		row(w, way.name, ms(way.asked.median()), ms(way.made.median()), ms(way.returned.median()))
	}
	fmt.Fprintln(w)
}

func (r report) writeStop(w io.Writer) {
	docker, unit := r.ways.docker.stopped, r.ways.unit.stopped
	row(w, "stop", "median", "25 %", "75 %", "ratio")
	row(w, "docker stop, docker rm", spread(docker)...)
	row(w, "systemctl stop", append(spread(unit), ratio(unit, docker))...)
	fmt.Fprintln(w)
}

func (r report) writeCalls(w io.Writer) {
	plain, through := r.calls.plain, r.calls.passThrough
	row(w, "one call of the runtime", "median", "25 %", "75 %", "added")
	row(w, plainPath, spread(plain)...)
	row(w, "dockhost-runtime before it", append(spread(through), ms(through.median()-plain.median()))...)
	fmt.Fprintln(w)
}

func (r report) writeMemory(w io.Writer) {
	row(w, "memory when idle", "RSS", "PSS", "anonymous")
	row(w, "docker run, attached", sizes(r.memory.client)...)
	row(w, "dockhost-supervise", sizes(r.memory.supervisor)...)
}

// notesAt is the number of the first cell of a line that is a note, and not a column.
const notesAt = 5

// row writes the cells of a line: what it is about to the left, the numbers to the right, and then the notes.
func row(w io.Writer, name string, cells ...string) {
	var line strings.Builder
	fmt.Fprintf(&line, "%-32s", name)
	for i, cell := range cells {
		if i < notesAt {
			fmt.Fprintf(&line, "%12s", cell)
		} else {
			line.WriteString("  " + cell)
		}
	}
	fmt.Fprintln(w, line.String())
}

func spread(s samples) []string {
	return []string{ms(s.median()), ms(s.quantile(0.25)), ms(s.quantile(0.75))}
}

func sizes(m memory) []string { return []string{mib(m.rss), mib(m.pss), mib(m.anonymous)} }

func ratio(s, base samples) string { return fmt.Sprintf("%.2f", s.ratio(base)) }

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond)) }

func mib(kib int) string { return fmt.Sprintf("%.1f MiB", float64(kib)/1024) }

func most(goal float64) string { return fmt.Sprintf("<= %.2f", goal) }
