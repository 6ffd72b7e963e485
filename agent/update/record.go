package update

import (
	"slices"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

const (
	// maxHistory and maxQuarantine bound the lists of a record.
	maxHistory    = 50
	maxQuarantine = 20
)

// Record is what is known about the updates of one container. It is kept over reboots.
type Record struct {
	// Confirmed is the last revision that was well for its whole soak: what a failed
	// update goes back to. It is nil before the first.
	Confirmed *Revision `json:"confirmed,omitempty"`
	// Previous is the revision that was confirmed before; nil without one.
	Previous *Revision `json:"previous,omitempty"`
	// Change is the update that is being made; nil without one.
	Change *Change `json:"change,omitempty"`
	// Last is how the last update ended; nil before the first.
	Last *Ended `json:"last,omitempty"`
	// Quarantine has what failed, and is not tried again by itself.
	Quarantine []Quarantined `json:"quarantine,omitempty"`
	// Hold is a person's request to leave the container as it is; nil without one.
	Hold *api.Hold `json:"hold,omitempty"`
	// Failures is how many updates in a row have failed. Paused says why no newer image
	// is tried until a person allows it.
	Failures int    `json:"failures,omitempty"`
	Paused   string `json:"paused,omitempty"`
	// Request is what a person asked for, and is not done yet.
	Request *Request `json:"request,omitempty"`
	// History has the updates that have ended, the oldest first.
	History []api.HistoryEntry `json:"history,omitempty"`
}

// Revision is a container with the image that it ran.
type Revision struct {
	// Container is the declaration, with its secrets.
	Container *spec.Container `json:"container"`
	// ImageID, Digest and Ref are those of [Image].
	ImageID string `json:"image_id"`
	Digest  string `json:"digest"`
	Ref     string `json:"ref,omitempty"`
}

// pinned returns the container of a revision, pinned to the image that it ran.
func (r *Revision) pinned() *spec.Container {
	c := *r.Container
	if r.ImageID != "" {
		c.Pin = &spec.Pin{ID: r.ImageID, Ref: r.Ref}
	}
	return &c
}

// under returns the container of a revision, pinned to the image that it ran, with the
// settings of updates that are declared now: they are no part of the revision.
func (r *Revision) under(settings *spec.Update) *spec.Container {
	c := r.pinned()
	c.Update = settings
	return c
}

func (r *Revision) api() *api.Revision {
	if r == nil || r.Container == nil {
		return nil
	}
	return &api.Revision{Image: r.Container.Image, Digest: r.Digest, ConfigHash: r.Container.Unpinned().Hash()}
}

// Change is an update that is being made.
type Change struct {
	Cause api.UpdateCause `json:"cause"`
	By    string          `json:"by,omitempty"`
	Force bool            `json:"force,omitempty"`
	// To is what the update puts in force. Its image is known once it was pulled.
	To Revision `json:"to"`
	// Replaced is the revision that ran before.
	Replaced *Revision `json:"replaced,omitempty"`
	Phase    Phase     `json:"phase"`
	// Since is when the phase began, Began when the update was found.
	Since time.Time `json:"since"`
	Began time.Time `json:"began"`
	// Why is why it waits, or is rolled back. Failure is the latter alone.
	Why     string `json:"why,omitempty"`
	Failure string `json:"failure,omitempty"`
	// Phases are the times of the phases before.
	Phases []api.PhaseTime `json:"phases,omitempty"`
	// Output are the last lines of the container that failed.
	Output []string `json:"output,omitempty"`
	// candidate is the id of the candidate that is tried: To is pinned to its image once
	// that was pulled.
	candidate string
}

// enter begins a phase.
func (c *Change) enter(phase Phase, why string, now time.Time) {
	c.Why = why
	if c.Phase == phase {
		return
	}
	if c.Phase != "" {
		c.spent(string(c.Phase), now.Sub(c.Since).Seconds())
	}
	c.Phase, c.Since = phase, now
}

// spent adds to the time of a phase. An update that waits is prepared again and again.
func (c *Change) spent(phase string, seconds float64) {
	if i := slices.IndexFunc(c.Phases, func(p api.PhaseTime) bool { return p.Phase == phase }); i >= 0 {
		c.Phases[i].Seconds += seconds
		return
	}
	c.Phases = append(c.Phases, api.PhaseTime{Phase: phase, Seconds: seconds})
}

// Ended is how an update ended.
type Ended struct {
	Outcome Phase           `json:"outcome"`
	Why     string          `json:"why,omitempty"`
	At      time.Time       `json:"at"`
	Cause   api.UpdateCause `json:"cause"`
	// From and To are the revisions before, and of the update.
	From *api.Revision `json:"from,omitempty"`
	To   *api.Revision `json:"to,omitempty"`
}

// Quarantined is a revision that failed.
type Quarantined struct {
	// Config is the hash of the declaration, without a pin.
	Config string `json:"config"`
	Image  string `json:"image"`
	Digest string `json:"digest"`
	// ImageID is Docker's ID of the image.
	ImageID string    `json:"image_id,omitempty"`
	Why     string    `json:"why"`
	At      time.Time `json:"at"`
}

// Request is what a person asked for.
type Request struct {
	api.UpdateRequest
	// Rollback asks for the revision before, or for To.
	Rollback bool      `json:"rollback,omitempty"`
	By       string    `json:"by,omitempty"`
	At       time.Time `json:"at"`
}

// quarantined returns the entry of a declaration, whatever it is pinned to. With a digest
// it must be the digest that failed.
func (r *Record) quarantined(c *spec.Container, digest string) *Quarantined {
	return r.findQuarantined(c, func(q *Quarantined) bool { return digest == "" || q.Digest == digest })
}

// tried returns the entry of a declaration with an image that failed; nil without one.
func (r *Record) tried(c *spec.Container, image Image) *Quarantined {
	return r.findQuarantined(c, func(q *Quarantined) bool { return q.Digest == image.Digest || q.ImageID != "" && q.ImageID == image.ID })
}

func (r *Record) findQuarantined(c *spec.Container, matches func(*Quarantined) bool) *Quarantined {
	if len(r.Quarantine) == 0 {
		return nil
	}
	config := c.Unpinned().Hash()
	for i := range r.Quarantine {
		if q := &r.Quarantine[i]; q.Config == config && matches(q) {
			return q
		}
	}
	return nil
}

// quarantine adds a revision.
func (r *Record) quarantine(to Revision, why string, now time.Time) {
	q := Quarantined{
		Config: to.Container.Unpinned().Hash(), Image: to.Container.Image, Digest: to.Digest, ImageID: to.ImageID, Why: why, At: now,
	}
	r.release(q.Config, q.Digest)
	r.Quarantine = last(append(r.Quarantine, q), maxQuarantine)
}

// release ends the quarantine of a revision.
func (r *Record) release(config, digest string) {
	r.Quarantine = slices.DeleteFunc(r.Quarantine, func(q Quarantined) bool { return q.Config == config && q.Digest == digest })
}

// withdrawn reports whether the last update was rolled back, if nothing else than what
// runs is declared any more: whoever declared it has taken it back, and nobody has to act.
func (r *Record) withdrawn() bool {
	return r.Change == nil && r.Last != nil && r.Last.Outcome == OutcomeRolledBack && r.Last.Cause == api.CauseAssignment
}

// end moves the change to the history.
func (r *Record) end(name string, outcome Phase, why string, now time.Time) api.HistoryEntry {
	c := r.Change
	c.enter(outcome, why, now)
	entry := api.HistoryEntry{
		Name: name, Began: c.Began, Ended: now, Cause: c.Cause, By: c.By, From: c.Replaced.api(), To: *c.To.api(),
		Phases: c.Phases, Outcome: string(outcome), Why: why, Output: c.Output,
	}
	r.Last = &Ended{Outcome: outcome, Why: why, At: now, Cause: c.Cause, From: entry.From, To: &entry.To}
	r.Change = nil
	r.History = last(append(r.History, entry), maxHistory)
	return entry
}

func last[T any](list []T, n int) []T { return list[max(len(list)-n, 0):] }

// clone returns a copy that can be changed.
func (r *Record) clone() Record {
	c := *r
	c.Change = r.Change.clone()
	c.Quarantine, c.History = slices.Clone(r.Quarantine), slices.Clone(r.History)
	return c
}

func (c *Change) clone() *Change {
	if c == nil {
		return nil
	}
	copied := *c
	copied.Phases = slices.Clone(c.Phases)
	return &copied
}
