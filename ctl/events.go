package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// eventFlags are the flags of dockhostctl events and changes.
type eventFlags struct {
	since          string
	follow, asJSON bool
}

func (h Host) eventsCommand() *cobra.Command {
	var flags eventFlags
	cmd := &cobra.Command{
		Use:   "events [NAME...]",
		Short: "show what happened on this host",
		Long: `Shows what dockhost did and noticed, the oldest first: assignments, pulls, starts,
ends of containers, health, updates, removed images, problems and their ends; of
all containers, or of those named. The agent keeps the events over reboots. What
repeats within ten minutes is counted, and told with the next event of its kind.

Exit status: 0 on success, 1 when the command line is wrong or the agent refuses
the request, 4 when the agent cannot be reached.`,
		ValidArgsFunction: h.completeContainers(-1),
		RunE: func(cmd *cobra.Command, names []string) error {
			filter, err := flags.filter(time.Now())
			if err != nil {
				return err
			}
			print := eventLine
			if flags.asJSON {
				print = jsonLine
			}
			return client.New(h.Socket).Events(cmd.Context(), filter, func(e api.Event) error {
				if !isOf(e, names) {
					return nil
				}
				_, err := io.WriteString(h.Out, print(e))
				return err
			})
		},
	}
	cmd.Flags().BoolVarP(&flags.follow, "follow", "f", false, "also show what happens from now on")
	cmd.Flags().StringVar(&flags.since, "since", "", "show only what happened since this `TIME`: 2h, yesterday, 08:00, 2026-12-24")
	cmd.Flags().BoolVar(&flags.asJSON, "json", false, "print a line of JSON for each event")
	return cmd
}

// filter returns which events to ask for.
func (f eventFlags) filter(now time.Time) (client.EventFilter, error) {
	filter := client.EventFilter{Follow: f.follow}
	if f.since != "" {
		at, err := parseSince(f.since, now)
		if err != nil {
			return filter, fmt.Errorf("--since: %w", err)
		}
		filter.Since = at
	}
	return filter, nil
}

// isOf reports whether an event is about one of the containers; about any without names.
func isOf(e api.Event, names []string) bool {
	return len(names) == 0 || slices.Contains(names, e.Container)
}

func jsonLine(e api.Event) string {
	raw, _ := json.Marshal(e) // it has no type that cannot be marshalled
	return string(raw) + "\n"
}

// eventLine returns the line of an event: "Jan 02 15:04:05  web  ready: shop:1".
func eventLine(e api.Event) string {
	subject := e.Container
	if subject == "" {
		subject = "-"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %-14s %-19s", e.At.Local().Format("Jan 02 15:04:05"), printable(subject), words(printable(e.Event)))
	var clauses []string
	add := func(clause string) {
		if clause != "" {
			clauses = append(clauses, printable(clause))
		}
	}
	add(change(e))
	add(e.Text)
	if e.By != "" {
		add("(by " + e.By + ")")
	}
	if e.Repeats > 0 {
		add(fmt.Sprintf("(and %d times before)", e.Repeats))
	}
	return strings.TrimRight(b.String()+" "+strings.Join(clauses, " "), " ") + "\n"
}

// change says what an event has replaced by what.
func change(e api.Event) string {
	switch {
	case e.From != "" && e.To != "":
		return e.From + " to " + e.To
	case e.To != "":
		return e.To
	}
	return e.From
}
