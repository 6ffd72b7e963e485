package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/backoff"
)

// Watch calls changed at once, and whenever the status may have changed, until it returns
// an error, which Watch returns. It connects again while the agent restarts.
func (c Client) Watch(ctx context.Context, changed func() error) error {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		err := c.WatchOnce(ctx, func() error {
			try = 0
			return changed()
		})
		if !IsRestart(err) || try >= maxTries {
			return err
		}
		if err := tries.Wait(ctx); err != nil {
			return err
		}
	}
}

// WatchOnce is [Client.Watch] without a second connection. It returns
// [ErrConnectionLost] when the agent goes away.
func (c Client) WatchOnce(ctx context.Context, changed func() error) error {
	stream, err := c.Ask(ctx, http.MethodGet, "/v1/watch", nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	decoder := json.NewDecoder(stream)
	for {
		var line api.Changed
		if err := decoder.Decode(&line); err != nil {
			return fmt.Errorf("%w: %w", ErrConnectionLost, err)
		}
		if err := changed(); err != nil {
			return err
		}
	}
}
