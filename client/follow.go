package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

// Message is a line of an answer that reports progress.
type Message interface {
	// Last reports whether this is the last line.
	Last() bool
}

// Follow calls report for each progress message except the last one, which it returns.
// It connects again when the agent restarts.
func Follow[M Message](ctx context.Context, c Client, path string, report func(M)) (M, error) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		last, err := followOnce(ctx, c, path, func(m M) {
			try = 0
			report(m)
		})
		if err == nil || !IsRestart(err) || try >= maxTries {
			return last, err
		}
		if err := tries.Wait(ctx); err != nil {
			return last, err
		}
	}
}

// followOnce ends with [ErrConnectionLost] when the stream ends before the last message.
func followOnce[M Message](ctx context.Context, c Client, path string, report func(M)) (m M, err error) {
	stream, err := c.Ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return m, err
	}
	defer stream.Close()
	decoder := json.NewDecoder(stream)
	for {
		var m M
		if err := decoder.Decode(&m); err != nil {
			return m, fmt.Errorf("%w: %w", ErrConnectionLost, err)
		}
		if m.Last() {
			return m, nil
		}
		report(m)
	}
}
