package update

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
	calendar "github.com/dockhost/dockhost/spec/update"
)

const (
	// gatePause is how often the application and the fleet are asked again at first. The
	// longer an update waits, the less often: each host of a large fleet waits for hours.
	gatePause = 30 * time.Second
	// waryChecks is how many check intervals the wariest host of a fleet is late.
	waryChecks = 12
)

// closed returns why an update must wait, and when to ask again; "" if it may continue. Only
// a changed assignment starts a container that someone has stopped. The
// application and the fleet are asked last: the one has to answer just before the stop,
// and the other must not be blocked for longer than needed.
func (m *Machine) closed(ctx context.Context, c *candidate, current *spec.Container) (why string, until time.Time) {
	now := time.Now()
	settings := m.host.Settings(c.to)
	if c.cause != api.CauseAssignment && m.host.Stopped() {
		return "stopped (to start it: dockhostctl start " + m.name + ")", now.Add(maxCheckPause)
	}
	if !c.force {
		if why, until = m.held(c, settings, now); why != "" {
			return why, until
		}
	}
	if why := m.host.Gate(ctx, m.host.Settings(current)); why != "" {
		first := gatePause*3/4 + rand.N(gatePause/2) //nolint:gosec // jitter is not a secret
		return why, now.Add(max(first, m.retry.next(c.id())))
	}
	return "", time.Time{}
}

// held returns what a person, or the settings, make an update wait for.
func (m *Machine) held(c *candidate, settings spec.Update, now time.Time) (why string, until time.Time) {
	if hold := m.readHold(now); hold != nil {
		why = "held by " + hold.By
		if hold.Until == nil {
			return why + " (to end the hold: dockhostctl unhold " + m.name + ")", now.Add(maxCheckPause)
		}
		return why + " until " + hold.Until.Format(time.DateTime), *hold.Until
	}
	if at := m.waryUntil(c, settings); now.Before(at) {
		return "other hosts of the fleet come first, until " + at.Format(time.DateTime), at
	}
	return outsideWindows(settings.Windows, now)
}

func (m *Machine) readHold(now time.Time) *api.Hold {
	r := m.read()
	return r.activeHold(now)
}

// waryUntil returns when this host may run a newer image that its fleet runs, too. What
// a person asks for is not late.
func (m *Machine) waryUntil(c *candidate, settings spec.Update) time.Time {
	if c.cause != api.CauseRegistry || settings.Wariness == nil {
		return time.Time{}
	}
	late := *settings.Wariness * m.host.Place() * float64(waryChecks*settings.Check)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.attempt.Began.Add(time.Duration(late))
}

// outsideWindows returns that no window is open, and when the next one opens.
func outsideWindows(texts []string, now time.Time) (why string, until time.Time) {
	for _, text := range texts {
		window, err := calendar.ParseWindow(text)
		if err != nil {
			continue // it was checked when it was accepted
		}
		if window.Open(now) {
			return "", time.Time{}
		}
		if opens, ok := window.Next(now); ok && (until.IsZero() || opens.Before(until)) {
			until = opens
		}
	}
	switch {
	case len(texts) == 0:
		return "", time.Time{}
	case until.IsZero():
		return "no window opens any more", now.Add(maxCheckPause)
	}
	return fmt.Sprintf("the next window opens at %s", until.Format("2006-01-02 15:04 MST")), until
}
