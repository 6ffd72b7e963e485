package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"
)

// tally counts how often a fault was tried.
type tally struct{ tried, missed, violated int }

// durations are how long the parts of a step took.
type durations struct{ strike, mend, settle, deep time.Duration }

func (d durations) String() string {
	round := func(t time.Duration) time.Duration { return t.Round(100 * time.Millisecond) }
	return fmt.Sprintf("%s (faults %s, undo %s, wait %s, checks %s)", round(d.strike+d.mend+d.settle+d.deep),
		round(d.strike), round(d.mend), round(d.settle), round(d.deep))
}

// report prints the steps, and a summary at the end.
type report struct {
	out     io.Writer
	options options
	began   time.Time

	mu         sync.Mutex
	steps      int
	violations []string
	faults     map[string]*tally
}

func newReport(out io.Writer, o options) *report {
	fmt.Fprintf(out, "torture of %s, seed %d, from step %d\n", o.host, o.seed, o.from)
	return &report{out: out, options: o, began: time.Now(), faults: map[string]*tally{}}
}

// over reports whether the time is over.
func (r *report) over() bool { return r.options.time > 0 && time.Since(r.began) > r.options.time }

func (r *report) begin(s step) { fmt.Fprintln(r.out, s) }

// applied counts a fault. It missed if there was nothing to break.
func (r *report) applied(s strike, hit bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.tally(s)
	t.tried++
	if !hit {
		t.missed++
	}
}

func (r *report) tally(s strike) *tally {
	t := r.faults[s.fault.name]
	if t == nil {
		t = &tally{}
		r.faults[s.fault.name] = t
	}
	return t
}

// end prints how a step ended.
func (r *report) end(s step, took durations, wrong []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.steps++
	if len(wrong) == 0 {
		fmt.Fprintf(r.out, "  well after %s\n", took)
		return
	}
	for _, strike := range s.strikes {
		r.tally(strike).violated++
	}
	for _, text := range wrong {
		fmt.Fprintf(r.out, "  VIOLATION: %s\n", text)
	}
	r.violations = append(r.violations, fmt.Sprintf("%s\n    %s", s, strings.Join(wrong, "\n    ")))
}

func (r *report) note(format string, args ...any) {
	fmt.Fprintf(r.out, "  "+format+"\n", args...)
}

// summary prints the faults by kind and the violations, and reports whether there was one.
func (r *report) summary() bool {
	fmt.Fprintf(r.out, "\n%s, seed %d: %d steps in %s, %d with a violation\n\n", r.options.host, r.options.seed, r.steps,
		time.Since(r.began).Round(time.Second), len(r.violations))
	table := tabwriter.NewWriter(r.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "fault\ttried\tnothing to break\tin steps with a violation")
	for _, name := range slices.Sorted(maps.Keys(r.faults)) {
		t := r.faults[name]
		fmt.Fprintf(table, "%s\t%d\t%d\t%d\n", name, t.tried, t.missed, t.violated)
	}
	_ = table.Flush()
	for _, violation := range r.violations {
		fmt.Fprintf(r.out, "\n%s\n", violation)
	}
	return len(r.violations) > 0
}
