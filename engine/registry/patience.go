package registry

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/dockhost/dockhost/internal/backoff"
)

// patience is a transport that remembers when a registry that refuses a request, because
// there are too many, wants to be asked again.
type patience struct {
	next http.RoundTripper
	// after is in nanoseconds, 0 if the registry said nothing.
	after atomic.Int64
}

// RoundTrip implements [http.RoundTripper].
func (p *patience) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := p.next.RoundTrip(r)
	if err == nil && (response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable) {
		p.after.Store(int64(backoff.RetryAfter(response.Header, time.Now())))
	}
	return response, err
}

// explain returns an error with the time that the registry asks for, if it does.
func (p *patience) explain(err error) error {
	if after := time.Duration(p.after.Load()); after > 0 {
		return &askLaterError{error: err, after: after}
	}
	return err
}

// askLaterError is an answer of a registry that wants to be asked later.
type askLaterError struct {
	error

	after time.Duration
}

// RetryAfter is how long the registry wants to be left alone.
func (e *askLaterError) RetryAfter() time.Duration { return e.after }

// Unwrap returns the answer.
func (e *askLaterError) Unwrap() error { return e.error }
