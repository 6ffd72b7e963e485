//go:build vm

package vm

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// report prints the table of all boots, and whether they meet the goals.
func report(out io.Writer, ways []*way, all []bootTimes) {
	values := func(way string, of func(bootTimes) float64) []float64 {
		var values []float64
		for _, times := range all {
			if times.Way == way {
				values = append(values, of(times))
			}
		}
		return values
	}
	answered := func(way string) float64 { return median(values(way, sinceKernel)) }

	fmt.Fprint(out, "\nseconds: median (lowest to highest), from the kernel's start unless the column says otherwise\n\n")
	table := tabwriter.NewWriter(out, 0, 0, 1, ' ', 0)
	fmt.Fprintln(table, "| way\t| boots\t| dockerd up\t| READY\t| answers HTTP\t| from userspace's start\t| of runcmd\t|")
	fmt.Fprintln(table, "| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, w := range ways {
		fmt.Fprintf(table, "| %s\t| %d\t| %s\t| %s\t| %s\t| %s\t| %.2f\t|\n", w.name, len(values(w.key, sinceKernel)),
			seconds(values(w.key, dockerUp)), seconds(values(w.key, ready)), seconds(values(w.key, sinceKernel)),
			seconds(values(w.key, sinceUserspace)), answered(w.key)/answered("runcmd"))
	}
	_ = table.Flush()

	var starts, runs []float64
	for _, times := range all {
		starts, runs = append(starts, times.Starts...), append(runs, times.DockerRuns...)
	}
	fmt.Fprintf(out, "\n%d starts each on a running machine: to READY %s, docker run -d %s\n\n", len(starts), seconds(starts), seconds(runs))
	for _, w := range ways[:2] {
		goal(out, w.name+" / cloud-init's runcmd", answered(w.key)/answered("runcmd"), 0.5)
		goal(out, w.name+" / quadlet", answered(w.key)/answered("quadlet"), 1.05)
	}
	goal(out, "start to READY / docker run -d", median(starts)/median(runs), 1.1)
}

// goal prints whether a ratio meets its limit. NaN means that it was not measured.
func goal(out io.Writer, name string, ratio, limit float64) {
	verdict := "not measured"
	switch {
	case ratio <= limit:
		verdict = "met"
	case ratio > limit:
		verdict = "missed"
	}
	fmt.Fprintf(out, "%s: %.2f (goal: at most %.2f): %s\n", name, ratio, limit, verdict)
}

func dockerUp(at bootTimes) float64       { return at.Docker }
func ready(at bootTimes) float64          { return at.Ready }
func sinceKernel(at bootTimes) float64    { return at.Answered }
func sinceUserspace(at bootTimes) float64 { return at.Answered - at.Userspace }

// median returns NaN without values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// seconds formats a median and its range, or a dash without values.
func seconds(values []float64) string {
	if len(values) == 0 || slices.Max(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f (%.1f to %.1f)", median(values), slices.Min(values), slices.Max(values))
}
