package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/api/types"
)

// openTimeout bounds how long the Engine may take to open a stream, which it does
// within milliseconds.
const openTimeout = 30 * time.Second

// opening returns the context of a stream that is being opened. It ends after
// openTimeout, unless the caller calls opened before.
func opening(ctx context.Context) (_ context.Context, opened func()) {
	ctx, cancel := context.WithCancel(ctx)
	timer := time.AfterFunc(openTimeout, cancel)
	return ctx, func() { timer.Stop() }
}

// hijack opens a connection that takes over the one of an HTTP request. The Docker
// client waits for the Engine's answer beyond the end of ctx, hijack does not.
func hijack(ctx context.Context, open func() (types.HijackedResponse, error)) (types.HijackedResponse, error) {
	type result struct {
		response types.HijackedResponse
		err      error
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	results := make(chan result, 1)
	go func() {
		response, err := open()
		results <- result{response, err}
	}()
	select {
	case r := <-results:
		return r.response, translate(r.err)
	case <-ctx.Done():
		go func() {
			if r := <-results; r.err == nil {
				r.response.Close()
			}
		}()
		return types.HijackedResponse{}, fmt.Errorf("docker does not answer: %w", context.Cause(ctx))
	}
}
