package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/dockhost/dockhost/gpu"
)

// GPU prints what GPUs the host has and who uses them, as JSON or for people,
// and returns the exit status: 0 when all is well, 3 when something is not.
func GPU(out io.Writer, r gpu.Report, asJSON, color bool) (int, error) {
	var err error
	if asJSON {
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(r)
	} else {
		_, err = io.WriteString(out, gpuText(r, palette(color)))
	}
	if err != nil {
		return exitNotWell, fmt.Errorf("print the GPUs: %w", err)
	}
	if !r.Well {
		return exitNotWell, nil
	}
	return exitWell, nil
}

func gpuText(r gpu.Report, c colors) string {
	var b strings.Builder
	switch {
	case r.Driver.Loaded:
		fmt.Fprintf(&b, "driver:  %s\n", orDash(r.Driver.Version))
	default:
		fmt.Fprintln(&b, "driver:  none is loaded")
	}
	switch {
	case r.CDI.Source == "" && len(r.GPUs) > 0:
		fmt.Fprintln(&b, "CDI:     no spec describes the GPUs (one is made when a container asks for them)")
	case r.CDI.Source == "":
	case r.CDI.By == "":
		fmt.Fprintf(&b, "CDI:     %s\n", r.CDI.Source)
	default:
		fmt.Fprintf(&b, "CDI:     %s, by %s\n", r.CDI.Source, r.CDI.By)
	}
	for _, stale := range r.CDI.Stale {
		fmt.Fprintf(&b, "stale:   %s: %s (make it anew, or remove it)\n", stale.Path, stale.Why)
	}
	for _, problem := range r.Problems {
		fmt.Fprintf(&b, "%sproblem:%s %s\n", c.bad, c.off, problem)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note:    %s\n", note)
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(r.GPUs) > 0 {
		fmt.Fprintln(table, "\nGPU\tMODEL\tUUID\tBUS\tGIVEN TO\tOPENED BY")
	}
	for _, g := range r.GPUs {
		fmt.Fprintln(table, strings.Join([]string{
			strconv.Itoa(g.Index), orDash(g.Model), g.UUID, g.Bus, orDash(strings.Join(g.Units, " ")), orDash(openedBy(g.Processes)),
		}, "\t"))
		for _, part := range g.MIG {
			fmt.Fprintln(table, strings.Join([]string{part.Name, "MIG", orDash(part.UUID)}, "\t"))
		}
	}
	if len(r.Containers) > 0 {
		fmt.Fprintln(table, "\nUNIT\tDEVICES\tALONE")
	}
	for _, container := range r.Containers {
		devices := strings.Join(container.Devices, " ")
		if !container.Running {
			devices = "(has none now)"
		}
		alone := "no"
		if container.Exclusive {
			alone = "yes"
		}
		fmt.Fprintln(table, strings.Join([]string{container.Unit, devices, alone}, "\t"))
	}
	_ = table.Flush() // a strings.Builder takes everything
	return b.String()
}

// openedBy is "pid 12 (python)".
func openedBy(processes []gpu.Process) string {
	var words []string
	for _, p := range processes {
		words = append(words, fmt.Sprintf("%d (%s)", p.Pid, p.Command))
	}
	return strings.Join(words, " ")
}
