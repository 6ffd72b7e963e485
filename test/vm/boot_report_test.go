//go:build vm

package vm

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"
)

// report prints the table of all boots, and which goals are met.
func report(out io.Writer, ways []*way, all []bootTimes) {
	values := func(way string, of func(bootTimes) float64) []float64 {
		var found []float64
		for _, at := range all {
			if at.Way == way {
				found = append(found, of(at))
			}
		}
		return found
	}
	answered := func(way string) float64 { return median(values(way, sinceKernel)) }

	fmt.Fprint(out, "\nseconds: median (lowest to highest); from the kernel's start but for the last but one column\n\n")
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
	for _, at := range all {
		starts, runs = append(starts, at.Starts...), append(runs, at.DockerRuns...)
	}
	fmt.Fprintf(out, "\nonce the machine is up, %d starts each: to READY %s, docker run -d %s\n\n", len(starts), seconds(starts), seconds(runs))
	for _, w := range ways[:2] {
		goal(out, w.name+", of cloud-init's runcmd", answered(w.key)/answered("runcmd"), 0.5)
		goal(out, w.name+", of the quadlet", answered(w.key)/answered("quadlet"), 1.05)
	}
	goal(out, "start to READY, of docker run -d", median(starts)/median(runs), 1.1)
}

// goal says whether a ratio is at most what was aimed at. Without a number it
// is neither met nor missed.
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

// median of nothing is NaN.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// seconds prints a median and its range; what there was none of is a dash.
func seconds(values []float64) string {
	if len(values) == 0 || slices.Max(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f (%.1f to %.1f)", median(values), slices.Min(values), slices.Max(values))
}
