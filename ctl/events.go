package ctl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/backoff"
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
			query, err := flags.query(time.Now())
			if err != nil {
				return err
			}
			print := eventLine
			if flags.asJSON {
				print = jsonLine
			}
			return h.events(cmd.Context(), query, func(e api.Event) error {
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

// query returns the query for the events.
func (f eventFlags) query(now time.Time) (url.Values, error) {
	query := url.Values{}
	if f.follow {
		query.Set("follow", "true")
	}
	if f.since != "" {
		at, err := parseSince(f.since, now)
		if err != nil {
			return nil, fmt.Errorf("--since: %w", err)
		}
		query.Set("since", at.Format(time.RFC3339Nano))
	}
	return query, nil
}

// events calls print for each event. When it follows and the agent restarts, it
// continues after the last event.
func (h Host) events(ctx context.Context, query url.Values, print func(api.Event) error) error {
	c := newClient(h.Socket)
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		err := readEvents(ctx, c, query, func(e api.Event) error {
			try = 0
			query.Set("since", e.At.Add(time.Nanosecond).Format(time.RFC3339Nano))
			return print(e)
		})
		if err == nil && query.Get("follow") != "" {
			err = errConnectionLost
		}
		if err == nil || isInterrupted(ctx) {
			return nil
		}
		if !isRestart(err) || try >= maxTries || tries.Wait(ctx) != nil {
			return err
		}
	}
}

func readEvents(ctx context.Context, c client, query url.Values, print func(api.Event) error) error {
	stream, err := c.ask(ctx, http.MethodGet, "/v1/events?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	for decoder := json.NewDecoder(stream); ; {
		var e api.Event
		switch err := decoder.Decode(&e); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: %w", errConnectionLost, err)
		}
		if err := print(e); err != nil {
			return err
		}
	}
}

// isOf reports whether an event is about one of the containers; about any without names.
func isOf(e api.Event, names []string) bool {
	return len(names) == 0 || slices.Contains(names, e.Container)
}

// isInterrupted reports whether the user has ended the command.
func isInterrupted(ctx context.Context) bool { return ctx.Err() != nil }

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
