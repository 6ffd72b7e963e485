package update

import (
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// Answer is the answer to a request that needed no replacement.
type Answer struct {
	Outcome Phase
	Why     string
	At      time.Time
	To      *api.Revision
}

// DoingQuarantined is what is done about a declaration that failed before: nothing.
const DoingQuarantined = "quarantined"

// View is what a machine does, for people.
type View struct {
	api.Update
	// Pending is the declaration that is not in force; nil without one.
	Pending *api.Pending
	// Done and Total are the bytes of a pull, 0 outside of one.
	Done, Total int64
	// Ended is when the last update ended, with the outcome in State unless another one
	// was begun.
	Ended *Ended
	// Answer is the answer to the last request that needed no replacement.
	Answer Answer
	// Busy says that an update is being made.
	Busy bool
	// Requested is when the request that is being carried out was made; zero without
	// one.
	Requested time.Time
}

// View returns what the machine does.
func (m *Machine) View() View {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.record
	v := View{Ended: r.Last, Answer: m.answer, Busy: m.attempt != nil && m.attempt.Phase != OutcomeRefused || r.Change != nil}
	v.Hold, v.Paused = r.activeHold(time.Now()), r.Paused
	if r.Request != nil {
		v.Requested = r.Request.At
	}
	for _, q := range r.Quarantine {
		v.Quarantined = append(v.Quarantined, api.Revision{Image: q.Image, Digest: q.Digest, ConfigHash: q.Config, Why: q.Why, At: &q.At})
	}
	if !m.checks.next.IsZero() {
		next := m.checks.next
		v.NextCheck = &next
	}
	if m.checks.err != nil {
		v.CheckError = m.checks.err.Error()
	}
	switch {
	case m.attempt != nil:
		v.show(m.attempt)
		v.From = r.Confirmed.api()
		v.Pending = &api.Pending{Image: m.attempt.To.Container.Image, Doing: m.doing(), Error: m.refusal}
		if m.attempt.Phase == PhasePulling {
			v.Done, v.Total = m.step.Done, m.step.Total
		}
	case r.Change != nil:
		v.show(r.Change)
	case r.Last != nil:
		v.State, v.Why, v.Cause, v.From, v.To = string(r.Last.Outcome), r.Last.Why, r.Last.Cause, r.Last.From, r.Last.To
		v.Since = &r.Last.At
	}
	if m.attempt == nil && m.blocked != nil {
		v.Pending = &api.Pending{Image: m.blocked.Image, Doing: DoingQuarantined, Error: m.blocked.Why +
			"; it is not tried again until it changes (or run: dockhostctl update --force)"}
	}
	return v
}

// show fills in an update that is being made.
func (v *View) show(c *Change) {
	since := c.Since
	v.State, v.Why, v.Cause, v.Since = string(c.Phase), c.Why, c.Cause, &since
	v.From, v.To = c.Replaced.api(), c.To.api()
}

// doing describes the attempt in a sentence.
func (m *Machine) doing() string {
	phase := m.attempt.Phase
	switch {
	case phase == PhaseWaiting:
		return "waiting: " + m.attempt.Why
	case phase == OutcomeRefused:
		return "trying again"
	case phase == m.step.Phase && m.step.Doing != "":
		return m.step.Doing
	}
	return string(phase)
}

// show has the host show what the machine does.
func (m *Machine) show() {
	m.mu.Lock()
	close(m.shown)
	m.shown = make(chan struct{})
	m.mu.Unlock()
	m.host.Show(m.View())
}

// NextChange returns a channel that is closed when what the machine does has changed.
func (m *Machine) NextChange() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.shown
}

// History returns the updates that have ended, the newest first.
func (m *Machine) History() []api.HistoryEntry {
	history := slices.Clone(m.read().History)
	slices.Reverse(history)
	return history
}

// Replaced reports whether the container was replaced, and the outcome is not known yet.
func (m *Machine) Replaced() bool {
	c := m.read().Change
	return c != nil && c.Cause != api.CauseStart
}
