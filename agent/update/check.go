package update

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// maxCheckPause bounds the wait after a registry that does not answer.
const maxCheckPause = 6 * time.Hour

// checks asks the registry for the digest of a tag. The machine's mutex guards it.
type checks struct {
	// next is when it is asked next; zero while it is not.
	next time.Time
	// of is the reference that was asked about, latest the digest, "" before the first
	// answer.
	of, latest string
	// askedAt is when the registry was asked last.
	askedAt time.Time
	// failures is how often in a row the registry did not answer, err why.
	failures int
	err      error
}

// nextCheck returns when the registry is to be asked, zero if it is not.
func (m *Machine) nextCheck() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checks.next
}

// check asks the registry if it is time, or now, and returns the digest of the tag, "" if it
// is not known. wanted says that a person asks for an update of a tag that may not be
// watched.
func (m *Machine) check(ctx context.Context, base *spec.Container, settings spec.Update, wanted, asked bool) string {
	m.mu.Lock()
	c := m.checks
	m.mu.Unlock()
	if c.of != base.Image {
		c = checks{of: base.Image}
	}
	watched := settings.Policy == spec.UpdateRegistry && !isDigested(base.Image)
	now := time.Now()
	switch {
	case isDigested(base.Image), !watched && !wanted:
		c.next, c.latest = time.Time{}, ""
	case !asked && !watched: // it was asked
	case !asked && c.next.IsZero():
		// The hosts of a fleet boot at the same time.
		c.next = now.Add(rand.N(settings.Check)) //nolint:gosec // jitter is not a secret
	case asked || !now.Before(c.next):
		latest, err := m.host.Latest(ctx, base)
		if ctx.Err() != nil {
			return ""
		}
		c.answered(latest, err, settings.Check)
		if !watched {
			c.next = time.Time{}
		}
		m.stayFailed(base, settings, c.latest)
	}
	m.mu.Lock()
	m.checks = c
	m.mu.Unlock()
	return c.latest
}

// stayFailed keeps the slot of the fleet, while the tag names the image that was rolled back
// last: the other hosts would try it next. A hold by a person ends that.
func (m *Machine) stayFailed(base *spec.Container, settings spec.Update, latest string) {
	r := m.read()
	failed := r.Change == nil && r.Last != nil && r.Last.Outcome == OutcomeRolledBack && r.Last.Cause == api.CauseRegistry
	if failed && r.activeHold(time.Now()) == nil && r.Last.To.Digest == latest && r.quarantined(base, latest) != nil {
		m.host.Passed(settings, true)
	}
}

// moved reports whether a tag has moved on while its image waited for its turn: the image
// may be bad. A registry that does not answer says nothing about that.
func (m *Machine) moved(ctx context.Context, c *candidate) bool {
	m.mu.Lock()
	recent := time.Since(m.checks.askedAt) < gatePause
	m.mu.Unlock()
	if c.cause != api.CauseRegistry || recent {
		return false
	}
	return m.check(ctx, c.to.Unpinned(), m.host.Settings(c.to), true, true) != c.digest
}

// answered takes in an answer of the registry.
func (c *checks) answered(latest string, err error, interval time.Duration) {
	c.err, c.askedAt = err, time.Now()
	if err == nil {
		c.latest, c.failures = latest, 0
	} else {
		c.failures++
	}
	c.next = time.Now().Add(checkPause(interval, c.failures, err))
}

// checkPause returns the time to the next question: the interval, twice as long after
// each failure in a row, varied by a quarter either way; at least what the registry asks
// for.
func checkPause(interval time.Duration, failures int, err error) time.Duration {
	pause := interval
	for range failures {
		pause = min(2*pause, max(maxCheckPause, interval))
	}
	pause = pause*3/4 + rand.N(pause/2+1) //nolint:gosec // jitter is not a secret
	var retry interface{ RetryAfter() time.Duration }
	if errors.As(err, &retry) && retry.RetryAfter() > pause {
		after := min(retry.RetryAfter(), maxCheckPause)
		pause = after + rand.N(after/4+1) //nolint:gosec // jitter is not a secret
	}
	return pause
}
