// Package backoff is the wait between tries.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff doubles the wait each time up to a cap, and jitters it by a quarter
// either way, so that a fleet does not try in step.
type Backoff struct {
	// Next is the coming wait, Cap the longest.
	Next, Cap time.Duration
}

// Wait returns nil after the coming wait, or the reason for which ctx ended.
// told, unless nil, is called first with how long it will be.
func (b *Backoff) Wait(ctx context.Context, told func(time.Duration)) error {
	d := b.Step()
	if told != nil {
		told(d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Step returns how long the coming wait is, for a caller that waits for more
// than the time.
func (b *Backoff) Step() time.Duration {
	d := b.Next*3/4 + rand.N(b.Next/2) //nolint:gosec // jitter is no secret
	b.Next = min(2*b.Next, b.Cap)
	return d
}
