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

// fetchTimeout bounds the answer of an agent that reads the user data again.
const fetchTimeout = time.Minute

func (h Host) userDataCommand() *cobra.Command {
	var fetch, raw, asJSON bool
	cmd := &cobra.Command{
		Use:   "userdata",
		Short: "show where the user data comes from and what it assigns",
		Long: `Shows which datasource has the instance's user data, how and when it was read,
its parts, and the containers that it assigns. Only --raw shows the user data
itself, and only to root, because it may contain secrets.

Exit status: 0 when all is well, 3 when the user data has a problem or is not
there yet, 1 when you may not see it, 4 when the agent cannot be reached.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, cancel := context.WithTimeout(cmd.Context(), fetchTimeout)
			defer cancel()
			u, err := client.New(h.Socket).UserData(ctx, fetch)
			switch {
			case err != nil:
				return err
			case raw:
				return h.printRaw(ctx)
			}
			return h.showUserData(u, asJSON)
		},
	}
	cmd.Flags().BoolVar(&fetch, "fetch", false, "read the user data again first, as systemctl reload dockhost does")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the user data itself (root only)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.MarkFlagsMutuallyExclusive("raw", "json")
	return cmd
}

func (h Host) printRaw(ctx context.Context) error {
	raw, err := client.New(h.Socket).RawUserData(ctx)
	if err != nil {
		return err
	}
	defer raw.Close()
	out := h.raw // a file gets every byte
	if h.width() > 0 {
		out = h.Out
	}
	if _, err := io.Copy(out, raw); err != nil {
		return fmt.Errorf("print the user data: %w", err)
	}
	return nil
}

func (h Host) showUserData(u api.UserData, asJSON bool) error {
	var err error
	if asJSON {
		err = printJSON(h.Out, u)
	} else {
		err = printUserData(h.Out, u, time.Now())
	}
	switch {
	case err != nil:
		return fmt.Errorf("print the user data: %w", err)
	case len(u.Source.Problems) > 0 || u.Source.Waiting != "":
		return &exitError{status: exitNotWell}
	}
	return nil
}

func printUserData(out io.Writer, u api.UserData, now time.Time) error {
	var b strings.Builder
	printSource(&b, u, now)
	if len(u.Parts) > 0 {
		b.WriteString("\n")
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "PART\tTYPE\tSIZE\tUSED")
		for _, part := range u.Parts {
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", part.Name, orDash(part.Type), bytesOf(int64(part.Size)), part.Used)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	for _, warning := range u.Warnings {
		fmt.Fprintf(&b, "warning:      %s\n", warning)
	}
	for _, problem := range u.Source.Problems {
		fmt.Fprintf(&b, "problem:      %s\n", problem)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// printSource prints where the user data comes from and what it assigns.
func printSource(b *strings.Builder, u api.UserData, now time.Time) {
	line := func(key, value string) {
		if value != "" {
			fmt.Fprintf(b, "%-13s %s\n", key+":", value)
		}
	}
	line("datasource", orDash(u.Source.Datasource))
	line("found by", u.How)
	line("path", u.Source.Path)
	line("instance-id", u.Source.InstanceID)
	if u.FetchedAt != nil {
		line("read", ago(u.FetchedAt, now))
	}
	line("waiting", u.Source.Waiting)
	line("note", u.Source.Note)
	if u.Source.Datasource != "" {
		line("size", bytesOf(int64(u.Size)))
	}
	if len(u.Containers) > 0 {
		line("containers", strings.Join(u.Containers, ", "))
	}
	if u.Source.AcceptedAt != nil {
		line("accepted", ago(u.Source.AcceptedAt, now))
	}
}
