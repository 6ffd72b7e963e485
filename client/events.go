package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/backoff"
)

// EventFilter says which events are sent.
type EventFilter struct {
	// Since is the time of the oldest; the zero time is all that the agent has kept.
	Since time.Time
	// Follow also sends those that follow, until ctx ends.
	Follow bool
	// Changes leaves out what changed nothing.
	Changes bool
}

func (f EventFilter) query() string {
	query := url.Values{}
	if !f.Since.IsZero() {
		query.Set("since", f.Since.Format(time.RFC3339Nano))
	}
	for name, set := range map[string]bool{"follow": f.Follow, "changes": f.Changes} {
		if set {
			query.Set(name, "true")
		}
	}
	return query.Encode()
}

// Events calls report for each event, the oldest first. When it follows and the agent
// restarts, it continues after the last event. An error of report ends it.
func (c Client) Events(ctx context.Context, filter EventFilter, report func(api.Event) error) error {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		err := c.events(ctx, filter, func(e api.Event) error {
			try, filter.Since = 0, e.At.Add(time.Nanosecond)
			return report(e)
		})
		switch {
		case filter.Follow && ctx.Err() != nil:
			return nil //nolint:nilerr // the caller has ended it
		case err == nil && !filter.Follow:
			return nil
		case err == nil:
			err = ErrConnectionLost
		}
		if !IsRestart(err) || try >= maxTries || tries.Wait(ctx) != nil {
			return err
		}
	}
}

func (c Client) events(ctx context.Context, filter EventFilter, report func(api.Event) error) error {
	stream, err := c.Ask(ctx, http.MethodGet, "/v1/events?"+filter.query(), nil)
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
			return fmt.Errorf("%w: %w", ErrConnectionLost, err)
		}
		if err := report(e); err != nil {
			return err
		}
	}
}

// Analysis returns how long the phases of the boot and of each start took.
func (c Client) Analysis(ctx context.Context) (a api.Analysis, err error) {
	_, err = c.Change(ctx, http.MethodGet, "/v1/analysis", nil, &a)
	return a, err
}
