package ctl

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

func (h Host) changesCommand() *cobra.Command {
	var flags eventFlags
	cmd := &cobra.Command{
		Use:   "changes [NAME...]",
		Short: "show what was changed on this host, by what, and how it ended",
		Long: `Shows the changes of what this host runs, the oldest first: assignments,
containers of dockhostctl run, updates, and images that were removed; of all
containers, or of those named. Each has what was in force before, what replaced
it, what caused it, and how it ended.

Exit status: 0 on success, 1 when the command line is wrong or the agent refuses
the request, 4 when the agent cannot be reached.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE:              func(cmd *cobra.Command, names []string) error { return h.changes(cmd.Context(), names, flags) },
	}
	cmd.Flags().StringVar(&flags.since, "since", "", "show only what was changed since this `TIME`: 2h, yesterday, 08:00, 2026-12-24")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print JSON")
	return cmd
}

func (h Host) changes(ctx context.Context, names []string, flags eventFlags) error {
	filter, err := flags.filter(time.Now())
	if err != nil {
		return err
	}
	filter.Changes = true
	changes := []api.Event{}
	err = client.New(h.Socket).Events(ctx, filter, func(e api.Event) error {
		if e.IsChange() && isOf(e, names) {
			changes = append(changes, e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if flags.asJSON {
		return printJSON(h.Out, changes)
	}
	return printChanges(h.Out, changes, time.Now())
}

func printChanges(out io.Writer, changes []api.Event, now time.Time) error {
	if len(changes) == 0 {
		return nil
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "WHEN\tNAME\tCHANGE\tFROM\tTO\tBY\tOUTCOME\tDETAIL")
	for _, e := range changes {
		cells := []string{when(e.At, now), e.Container, words(e.Event), e.From, e.To, e.By, words(e.Outcome), e.Text}
		for i, cell := range cells {
			cells[i] = orDash(printable(cell))
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}
