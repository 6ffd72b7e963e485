package ctl

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/gpu"
)

func (h Host) gpuCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "gpu",
		Short: "show the GPUs of this host and who uses them",
		Long: `Shows the loaded NVIDIA driver, the CDI spec that describes its GPUs, each GPU
with the units and the processes that use it, and all current problems. It needs
neither the agent nor Docker. It must be root to see which process uses a GPU.

Exit status: 0 when all is well, 3 when there is a problem.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			report, err := h.GPUs()
			if err != nil {
				return err
			}
			return printGPUs(h.Out, report, asJSON, palette(h.Color))
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON (its schema: /usr/share/dockhost/gpu.schema.json)")
	return cmd
}

func printGPUs(out io.Writer, report gpu.Report, asJSON bool, c colors) error {
	var err error
	if asJSON {
		err = printJSON(out, report)
	} else {
		_, err = io.WriteString(out, gpuText(report, c))
	}
	switch {
	case err != nil:
		return fmt.Errorf("print the GPUs: %w", err)
	case !report.Well:
		return &exitError{status: exitNotWell}
	}
	return nil
}

func gpuText(r gpu.Report, c colors) string {
	var b strings.Builder
	printDriver(&b, r)
	for _, problem := range r.Problems {
		fmt.Fprintf(&b, "%sproblem:%s %s\n", c.bad, c.off, problem)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "note:    %s\n", note)
	}
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	addDevices(table, r.GPUs)
	addUnits(table, r.Containers)
	_ = table.Flush() // a strings.Builder takes everything
	return b.String()
}

// printDriver prints the driver and what describes its GPUs.
func printDriver(b *strings.Builder, r gpu.Report) {
	driver := "not loaded"
	if r.Driver.Loaded {
		driver = orDash(r.Driver.Version)
	}
	fmt.Fprintf(b, "driver:  %s\n", driver)
	switch {
	case r.CDI.Source == "" && len(r.GPUs) > 0:
		fmt.Fprintln(b, "CDI:     no spec describes the GPUs (dockhost writes one when a container needs it)")
	case r.CDI.Source == "":
	case r.CDI.By == "":
		fmt.Fprintf(b, "CDI:     %s\n", r.CDI.Source)
	default:
		fmt.Fprintf(b, "CDI:     %s, by %s\n", r.CDI.Source, r.CDI.By)
	}
	for _, stale := range r.CDI.Stale {
		fmt.Fprintf(b, "stale:   %s: %s (generate it again, or remove it)\n", stale.Path, stale.Why)
	}
}

func addDevices(table io.Writer, devices []gpu.CardReport) {
	if len(devices) > 0 {
		fmt.Fprintln(table, "\nGPU\tMODEL\tUUID\tBUS\tGIVEN TO\tOPENED BY")
	}
	for _, d := range devices {
		fmt.Fprintln(table, strings.Join([]string{
			strconv.Itoa(d.Index), orDash(d.Model), d.UUID, d.Bus, orDash(strings.Join(d.Units, " ")), orDash(openedBy(d.Processes)),
		}, "\t"))
		for _, part := range d.MIG {
			fmt.Fprintln(table, strings.Join([]string{part.Name, "MIG", orDash(part.UUID)}, "\t"))
		}
	}
}

func addUnits(table io.Writer, containers []gpu.Container) {
	if len(containers) > 0 {
		fmt.Fprintln(table, "\nUNIT\tDEVICES\tEXCLUSIVE")
	}
	for _, container := range containers {
		devices := strings.Join(container.Devices, " ")
		if !container.Running {
			devices = "(none now)"
		}
		exclusive := "no"
		if container.Exclusive {
			exclusive = "yes"
		}
		fmt.Fprintln(table, strings.Join([]string{container.Unit, devices, exclusive}, "\t"))
	}
}

// openedBy returns the processes as "12 (python) 13 (java)".
func openedBy(processes []gpu.Process) string {
	var words []string
	for _, p := range processes {
		words = append(words, fmt.Sprintf("%d (%s)", p.Pid, p.Command))
	}
	return strings.Join(words, " ")
}
