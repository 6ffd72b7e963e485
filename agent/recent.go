package agent

import (
	"context"
	"sync"
	"time"
)

// recentTime is how long an answer counts as recent.
const recentTime = time.Second

// recent remembers an answer for a second. Those who ask meanwhile share it, and those who
// ask while it is made wait for it, so that a flood of requests costs no more than one.
type recent[T any] struct {
	mu    sync.Mutex
	at    time.Time
	value T
}

// get returns the answer, which make makes if it is older than a second.
func (r *recent[T]) get(ctx context.Context, make func(context.Context) T) T {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.at.IsZero() || time.Since(r.at) >= recentTime {
		r.value = make(context.WithoutCancel(ctx)) // others share it
		r.at = time.Now()
	}
	return r.value
}
