package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

// message is a line of an answer that reports progress.
type message interface {
	// Last reports whether this is the last line.
	Last() bool
}

// await calls report for each progress message, and returns the last one. It connects
// again when the agent restarts.
func await[M message](ctx context.Context, c client, path string, report func(M)) (M, error) {
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 2 * time.Second}
	for try := 1; ; try++ {
		last, err := follow(ctx, c, path, func(m M) {
			try = 0
			report(m)
		})
		if err == nil || !isRestart(err) || try >= maxTries {
			return last, err
		}
		if err := tries.Wait(ctx); err != nil {
			return last, err
		}
	}
}

// follow calls report for each progress message except the last one, which it returns.
// The error is [errConnectionLost] when the stream ends before the last one.
func follow[M message](ctx context.Context, c client, path string, report func(M)) (m M, err error) {
	stream, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return m, err
	}
	defer stream.Close()
	decoder := json.NewDecoder(stream)
	for {
		var m M
		if err := decoder.Decode(&m); err != nil {
			return m, fmt.Errorf("%w: %w", errConnectionLost, err)
		}
		if m.Last() {
			return m, nil
		}
		report(m)
	}
}

func containerPath(name string) string { return "/v1/containers/" + url.PathEscape(name) }

// since returns the query for what happened after the agent accepted a request.
func since(accepted time.Time) string {
	return "?since=" + url.QueryEscape(accepted.Format(time.RFC3339Nano))
}
