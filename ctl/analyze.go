package ctl

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// maxPlotName is how much of a name the plot shows.
const maxPlotName = 20

func (h Host) analyzeCommand() *cobra.Command {
	var plot string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "analyze [NAME...]",
		Short: "show how long the boot and the starts of containers took",
		Long: `Shows how long the phases of this boot took, and those of the last start of each
container, or of those named, in seconds. A dash stands for a phase that was not
needed: with an image that is on the host, nothing is pulled.

"analyze blame" lists the phases, the longest first.

Exit status: 0 on success, 1 when the command line is wrong, a container has not
been started or the file cannot be written, 4 when the agent cannot be reached.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			a, err := h.askAnalysis(cmd.Context(), names)
			switch {
			case err != nil:
				return err
			case plot != "":
				return writePlot(plot, a)
			case asJSON:
				return printJSON(h.Out, a)
			}
			return printAnalysis(h.Out, a)
		},
	}
	cmd.Flags().StringVar(&plot, "plot", "", "write a chart of the phases over time to this `FILE`, as SVG")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("plot", "json")
	cmd.AddCommand(h.blameCommand())
	return cmd
}

func (h Host) blameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "blame [NAME...]",
		Short: "list the phases, the longest first",
		Long: `Lists the phases of this boot and of the last start of each container, or of those
named, the longest first.

Exit status: 0 on success, 1 when a container has not been started, 4 when the
agent cannot be reached.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			a, err := h.askAnalysis(cmd.Context(), names)
			if err != nil {
				return err
			}
			return printBlame(h.Out, a)
		},
	}
}

// askAnalysis returns the analysis of the containers with the names, of all without
// names. With names it leaves out the boot.
func (h Host) askAnalysis(ctx context.Context, names []string) (api.Analysis, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	a, err := client.New(h.Socket).Analysis(ctx)
	if err != nil || len(names) == 0 {
		return a, err
	}
	for _, name := range names {
		if !slices.ContainsFunc(a.Containers, func(s api.Start) bool { return s.Name == name }) {
			return a, fmt.Errorf("container %q was not started since the boot (see: dockhostctl status)", name)
		}
	}
	a.Boot = nil
	a.Containers = slices.DeleteFunc(a.Containers, func(s api.Start) bool { return !slices.Contains(names, s.Name) })
	return a, nil
}

// phaseColumns are the phases of a start that have a column.
func phaseColumns() []string { return []string{"docker", "login", "pull", "create", "start", "ready"} }

func printAnalysis(out io.Writer, a api.Analysis) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(a.Boot) > 0 {
		fmt.Fprintln(table, "BOOT\tAT\tSECONDS\tDETAIL")
	}
	for _, p := range a.Boot {
		fmt.Fprintf(table, "%s\t%.3f\t%.3f\t%s\n", printable(p.Name), p.At, p.Seconds, orDash(printable(p.Detail)))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(a.Containers) == 0 {
		return nil
	}
	if len(a.Boot) > 0 {
		fmt.Fprintln(out)
	}
	fmt.Fprintln(table, "CONTAINER\tAT\t"+strings.ToUpper(strings.Join(phaseColumns(), "\t"))+"\tTOTAL\tPULLED")
	for _, s := range a.Containers {
		row := []string{printable(s.Name), fmt.Sprintf("%.3f", began(s))}
		for _, column := range phaseColumns() {
			row = append(row, secondsOf(s, column))
		}
		total := fmt.Sprintf("%.3f", s.Seconds)
		if !s.Ready {
			total += " (not ready)"
		}
		pulled := "-"
		if s.PulledBytes > 0 {
			pulled = bytesOf(s.PulledBytes)
		}
		fmt.Fprintln(table, strings.Join(append(row, total, pulled), "\t"))
	}
	return table.Flush()
}

// began returns when a start began.
func began(s api.Start) float64 {
	if len(s.Phases) == 0 {
		return 0
	}
	return s.Phases[0].At
}

// secondsOf returns how long a phase took, "-" for one that was not needed. Failed pulls count as
// pull.
func secondsOf(s api.Start, name string) string {
	sum, found := 0.0, false
	for _, p := range s.Phases {
		if p.Name == name || name == "pull" && p.Name == "failed pulls" {
			sum, found = sum+p.Seconds, true
		}
	}
	if !found {
		return "-"
	}
	return fmt.Sprintf("%.3f", sum)
}

func printBlame(out io.Writer, a api.Analysis) error {
	type line struct {
		seconds float64
		text    string
	}
	var lines []line
	for _, p := range a.Boot {
		lines = append(lines, line{p.Seconds, strings.TrimSpace("boot: " + p.Name + " " + p.Detail)})
	}
	for _, s := range a.Containers {
		for _, p := range s.Phases {
			text := s.Name + ": " + p.Name
			if p.Name == "pull" || p.Name == "image" {
				text += " " + s.Image
			}
			lines = append(lines, line{p.Seconds, text})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(b.seconds, a.seconds) })
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintf(&b, "%10.3fs %s\n", l.seconds, printable(l.text))
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writePlot(path string, a api.Analysis) error {
	if err := os.WriteFile(path, []byte(plotSVG(a)), 0o644); err != nil { //nolint:gosec // G306: a picture for others
		return fmt.Errorf("write the plot: %w", err)
	}
	return nil
}
