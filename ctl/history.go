package ctl

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/docker/go-units"
	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

func (h Host) historyCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "history [NAME]",
		Short: "show past updates",
		Long: `Shows the updates of all containers, or of one, the newest first: when each began,
what it replaced by what, what caused it, how long it took, and how it ended. Below
the table it says why updates failed, with the last lines of the container. With
NAME it also shows how long each phase took.

Exit status: 0 on success, 1 when the history has no container NAME, 4 when the
agent cannot be reached.`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: h.completeContainers(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return h.history(cmd.Context(), strings.Join(args, ""), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (h Host) history(ctx context.Context, name string, asJSON bool) error {
	entries, err := askHistory(ctx, client.New(h.Socket), name)
	switch {
	case err != nil:
		return err
	case name != "" && len(entries) == 0:
		return fmt.Errorf("no update of %q in the history (see: dockhostctl history)", name)
	case asJSON:
		return printJSON(h.Out, entries)
	}
	return printHistory(h.Out, entries, name != "", time.Now())
}

// askHistory returns the history of a container, or of all for "".
func askHistory(ctx context.Context, c client.Client, name string) ([]api.HistoryEntry, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return c.History(ctx, name)
}

// printHistory prints a table, and what does not fit in its rows: of all entries with
// phases, otherwise of those that failed.
func printHistory(out io.Writer, entries []api.HistoryEntry, phases bool, now time.Time) error {
	var b strings.Builder
	table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	if len(entries) > 0 {
		fmt.Fprintln(table, "WHEN\tNAME\tFROM\tTO\tCAUSE\tTOOK\tOUTCOME")
	}
	for _, entry := range entries {
		from, to := versions(entry.From, entry.To)
		cause := string(entry.Cause)
		if entry.By != "" {
			cause += " by " + entry.By
		}
		fmt.Fprintln(table, strings.Join([]string{
			when(entry.Began, now), entry.Name, orDash(from), orDash(to), cause, took(entry.Ended.Sub(entry.Began)), words(entry.Outcome),
		}, "\t"))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	for _, entry := range entries {
		if phases || entry.Outcome != api.OutcomeConfirmed {
			printEntry(&b, entry, phases, now)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printEntry prints what does not fit in a row of the history.
func printEntry(b *strings.Builder, entry api.HistoryEntry, phases bool, now time.Time) {
	fmt.Fprintf(b, "\n%s, %s, %s", entry.Name, when(entry.Began, now), words(entry.Outcome))
	if entry.Why != "" {
		fmt.Fprintf(b, ": %s", strings.ReplaceAll(entry.Why, "\n", "\n  "))
	}
	b.WriteString("\n")
	if phases && len(entry.Phases) > 0 {
		var times []string
		for _, p := range entry.Phases {
			times = append(times, words(p.Phase)+" "+took(time.Duration(p.Seconds*float64(time.Second))))
		}
		fmt.Fprintf(b, "  %s\n", strings.Join(times, ", "))
	}
	for _, line := range entry.Output {
		fmt.Fprintf(b, "  | %s\n", printable(line))
	}
}

// versions returns short names for two revisions of a container that show how they
// differ: the digests of one reference, the tags of one repository, or the references.
func versions(from *api.Revision, to api.Revision) (before, after string) {
	if from == nil {
		return "", to.Image
	}
	repository, tag := cutTag(from.Image)
	newRepository, newTag := cutTag(to.Image)
	switch {
	case from.Image == to.Image && from.Digest == to.Digest:
		return "(same image)", "(same image)"
	case from.Image == to.Image:
		return api.ShortID(from.Digest), api.ShortID(to.Digest)
	case repository == newRepository && tag != "" && newTag != "":
		return tag, newTag
	}
	return from.Image, to.Image
}

// cutTag returns the repository of a reference, and its tag, or the beginning of its
// digest.
func cutTag(ref string) (repository, tag string) {
	if repository, digest, pinned := strings.Cut(ref, "@"); pinned {
		return repository, api.ShortID(digest)
	}
	if colon := strings.LastIndex(ref, ":"); colon > strings.LastIndex(ref, "/") {
		return ref[:colon], ref[colon+1:]
	}
	return ref, ""
}

// when returns a time as ls(1) does: with the year instead of the time of day if it is
// more than half a year away.
func when(at, now time.Time) string {
	at = at.In(now.Location())
	if away := now.Sub(at).Abs(); away > 182*24*time.Hour {
		return at.Format("Jan 02  2006")
	}
	return at.Format("Jan 02 15:04")
}

// took returns a duration of at most about six letters.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < 24*time.Hour:
		return d.Round(time.Second).String()
	}
	return units.HumanDuration(d)
}

// words returns the name of a state in words: "rolled back".
func words(state string) string { return strings.ReplaceAll(state, "-", " ") }

// printable returns a line of a container without the characters that control a
// terminal.
func printable(line string) string {
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0) {
			return '?'
		}
		return r
	}, line)
}
