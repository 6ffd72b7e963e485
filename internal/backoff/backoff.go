// Package backoff waits between tries, longer each time.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff doubles the wait each time up to a cap. It varies each wait by a
// quarter either way, so that the hosts of a fleet do not try at the same time.
type Backoff struct {
	// Next is the next wait, Cap the longest.
	Next, Cap time.Duration
}

// Wait waits for the next [Backoff.Step]. It returns nil after that time, or
// the cause of ctx if that ends first.
func (b *Backoff) Wait(ctx context.Context) error { return Pause(ctx, b.Step()) }

// Step returns the length of the next wait, for a caller that announces it, or
// that waits for something else, too.
func (b *Backoff) Step() time.Duration {
	d := b.Next*3/4 + rand.N(b.Next/2) //nolint:gosec // jitter is not a secret
	b.Next = min(2*b.Next, b.Cap)
	return d
}

// Pause returns nil after d, or the cause of ctx if that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
