package update

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// try makes the update that should be made now, up to the replacement. It returns false
// if there is nothing to do before the next retry.
func (m *Machine) try(ctx context.Context, current, declared *spec.Container) bool {
	c, done := m.candidate(ctx, current, declared)
	if c == nil {
		return done
	}
	if m.waits(c.id()) {
		return false
	}
	m.begin(c)
	image, err := m.host.Prepare(ctx, c.to, m.stepped)
	if err == nil {
		err = m.fits(ctx, c, current, image)
	}
	if ctx.Err() != nil {
		return true
	}
	if err != nil {
		m.refuse(c, err)
		return true
	}
	if m.isSame(c, current, image) {
		m.same = c.digest
		m.forget(c, Answer{Outcome: OutcomeUnchanged})
		return true
	}
	if why, until := m.closed(ctx, c, current); why != "" {
		m.waitFor(c, why, until)
		return true
	}
	if m.moved(ctx, c) {
		m.host.Passed(m.host.Settings(current), false)
		return true
	}
	m.replace(ctx, c, current)
	return true
}

// candidate returns what should be tried now. Without any, done says that a request was
// answered.
func (m *Machine) candidate(ctx context.Context, current, declared *spec.Container) (c *candidate, done bool) {
	r := m.read()
	base := current
	if declared != nil {
		base = declared
	}
	request := r.Request
	asks := request != nil && !request.Rollback
	if request != nil && request.At != m.requested {
		m.requested = request.At
		m.retry.stop() // do not wait for the next try
	}
	latest := m.check(ctx, base, m.host.Settings(base), asks, asks && m.unanswered(request))
	if ctx.Err() != nil {
		return nil, true
	}
	if latest == m.same {
		latest = ""
	}
	var running Image
	if latest != "" || request != nil {
		var err error
		running, err = m.host.Image(ctx, current)
		if ctx.Err() != nil {
			return nil, true
		}
		if err != nil && request != nil && request.Rollback { // back from what?
			m.forget(nil, Answer{Outcome: OutcomeRefused, Why: err.Error()})
			return nil, true
		}
	}
	c = choose(r, current, declared, running, latest)
	switch {
	case asks && request.Check:
		m.answerCheck(c, r, base, latest)
		return nil, true
	case c == nil && asks && m.joins(r):
		m.change(func(r *Record) { r.Request = nil })
	case c == nil && request != nil:
		m.answerNothing(r, base, latest)
		return nil, true
	case c == nil:
		m.dropAttempt()
	}
	if c == nil && declared == nil && r.withdrawn() {
		m.change(func(r *Record) { r.Last = nil })
	}
	m.setBlocked(r, c, declared)
	return c, false
}

// joins reports whether a request for which nothing is newer is about the update whose
// outcome is not known yet.
func (m *Machine) joins(r Record) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return r.Change != nil && r.Change.Cause != api.CauseStart && m.checks.err == nil
}

// setBlocked shows that what is declared is quarantined.
func (m *Machine) setBlocked(r Record, c *candidate, declared *spec.Container) {
	var blocked *Quarantined
	if declared != nil && (c == nil || c.cause != api.CauseAssignment) {
		blocked = r.quarantined(declared, "")
	}
	m.mu.Lock()
	changed := m.blocked != blocked && (m.blocked == nil || blocked == nil || *m.blocked != *blocked)
	m.blocked = blocked
	m.mu.Unlock()
	if changed {
		m.show()
	}
}

// unanswered reports whether the registry was not asked since a request.
func (m *Machine) unanswered(request *Request) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.checks.askedAt.Before(request.At)
}

// answerCheck answers a request that only checks.
func (m *Machine) answerCheck(c *candidate, r Record, base *spec.Container, latest string) {
	if c == nil {
		m.answerNothing(r, base, latest)
		return
	}
	m.forget(c, Answer{Outcome: OutcomeFound})
}

// answerNothing answers a request for which there is no candidate.
func (m *Machine) answerNothing(r Record, base *spec.Container, latest string) {
	m.mu.Lock()
	err := m.checks.err
	m.mu.Unlock()
	q := r.quarantined(base, latest)
	to := &Revision{Container: base, Digest: latest}
	switch {
	case r.Request.Rollback:
		m.forget(nil, Answer{Outcome: OutcomeRefused, Why: "no earlier revision of it is known (name one: dockhostctl rollback " + m.name + " --to DIGEST)"})
	case q != nil:
		to.Digest = q.Digest
		m.forget(nil, Answer{Outcome: OutcomeRefused, To: to.api(), Why: fmt.Sprintf("%s is quarantined, it failed at %s: %s (to try it all the same, add --force)",
			revisionName(q.Image, q.Digest), q.At.Format(time.DateTime), q.Why)})
	case err != nil:
		m.forget(nil, Answer{Outcome: OutcomeFailed, Why: err.Error()})
	default:
		m.forget(nil, Answer{Outcome: OutcomeUnchanged})
	}
}

func revisionName(image, digest string) string {
	if digest == "" || isDigested(image) {
		return image
	}
	return image + " (" + api.ShortID(digest) + ")"
}

// begin shows that a candidate is tried.
func (m *Machine) begin(c *candidate) {
	m.mu.Lock()
	now := time.Now()
	isNew := m.attempt == nil || m.attempt.candidate != c.id()
	if isNew {
		m.attempt = &Change{candidate: c.id(), Cause: c.cause, By: c.by, Force: c.force, To: Revision{Container: c.to, Digest: c.digest}, Began: now}
		m.attempt.enter(PhaseFound, "", now)
		m.refusal = ""
		m.log.Info("update found", zap.String("image", c.to.Image), zap.String("digest", c.digest), zap.String("cause", string(c.cause)))
	}
	m.mu.Unlock()
	if isNew {
		m.show()
	}
}

// stepped shows a step of the preparation. An update that waits is checked each time it is
// its turn again, and is shown as waiting all the same.
func (m *Machine) stepped(s Step) {
	m.mu.Lock()
	m.step = s
	if m.attempt != nil && m.attempt.Phase == PhaseWaiting && s.Phase == PhaseChecking {
		m.mu.Unlock()
		return
	}
	if m.attempt != nil {
		m.attempt.enter(s.Phase, "", time.Now())
	}
	m.mu.Unlock()
	m.show()
}

// errQuarantined says that an image turned out to be one that failed before.
var errQuarantined = errors.New("quarantined")

// fits returns an error if the image that was pulled must not be tried.
func (m *Machine) fits(ctx context.Context, c *candidate, current *spec.Container, image Image) error {
	if c.digest != "" && image.Digest != c.digest && image.ID != c.digest && !slices.Contains(image.Digests, c.digest) {
		return fmt.Errorf("the registry sent %s instead of %s", image.Digest, c.digest)
	}
	r := m.read()
	if q := r.tried(c.to, image); q != nil && !c.force {
		if c.digest != "" && q.Digest != c.digest { // another name of the same image
			m.change(func(r *Record) {
				r.quarantine(Revision{Container: c.to, ImageID: image.ID, Digest: c.digest}, q.Why, q.At)
			})
		}
		return fmt.Errorf("%w: %s failed at %s: %s", errQuarantined, revisionName(q.Image, q.Digest), q.At.Format(time.DateTime), q.Why)
	}
	replaced, err := m.runningRevision(ctx, current)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.attempt.To.ImageID, m.attempt.To.Digest, m.attempt.To.Ref = image.ID, image.Digest, image.Ref
	if c.to.Pin != nil {
		pinned := *c.to
		pinned.Pin = &spec.Pin{ID: image.ID, Ref: image.Ref}
		m.attempt.To.Container = &pinned
	}
	m.attempt.Replaced = replaced
	return nil
}

// isSame reports whether a candidate is what runs already: another index may name the
// same image.
func (m *Machine) isSame(c *candidate, current *spec.Container, image Image) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	replaced := m.attempt.Replaced
	return c.cause != api.CauseAssignment && replaced != nil && replaced.ImageID == image.ID && image.ID != "" &&
		c.to.Unpinned().Hash() == current.Unpinned().Hash()
}

// refuse shows why a candidate cannot replace the container now, answers a request, and
// tries again later.
func (m *Machine) refuse(c *candidate, err error) {
	m.mu.Lock()
	if m.refusal != err.Error() {
		m.log.Error("container not replaced, the old one stays", zap.String("image", c.to.Image), zap.Error(err))
	}
	m.attempt.enter(OutcomeRefused, err.Error(), time.Now())
	m.refusal = err.Error()
	m.mu.Unlock()
	m.retry.set(c.id(), err, m.host)
	if m.read().Request != nil {
		m.tellRefusal(err.Error())
		m.forget(c, Answer{Outcome: OutcomeRefused, Why: err.Error()})
		return
	}
	m.show()
}

// tellRefusal writes to the history that what a person asked for was refused.
func (m *Machine) tellRefusal(why string) {
	m.mu.Lock()
	attempt := m.attempt.clone()
	m.mu.Unlock()
	if attempt == nil {
		return
	}
	now := time.Now()
	entry := api.HistoryEntry{
		Name: m.name, Began: attempt.Began, Ended: now, Cause: attempt.Cause, By: attempt.By, From: attempt.Replaced.api(), To: *attempt.To.api(),
		Phases: attempt.Phases, Outcome: string(OutcomeRefused), Why: why,
	}
	m.change(func(r *Record) { r.History = last(append(r.History, entry), maxHistory) })
	m.host.Tell(entry)
}

// waitFor shows what an update waits for, and asks again later.
func (m *Machine) waitFor(c *candidate, why string, until time.Time) {
	m.mu.Lock()
	if m.attempt.Why != why {
		m.log.Info("update waits", zap.String("image", c.to.Image), zap.String("why", why))
	}
	m.attempt.enter(PhaseWaiting, why, time.Now())
	m.mu.Unlock()
	m.retry.setAt(c.id(), until)
	m.show()
}

// dropAttempt ends an attempt for which there is no candidate any more.
func (m *Machine) dropAttempt() {
	m.mu.Lock()
	had := m.attempt != nil
	m.attempt = nil
	m.mu.Unlock()
	if had {
		m.retry.stop()
		m.show()
	}
}

// forget drops a request that was answered.
func (m *Machine) forget(c *candidate, a Answer) {
	a.At = time.Now()
	if c != nil {
		a.To = (&Revision{Container: c.to, Digest: c.digest}).api()
	}
	m.mu.Lock()
	m.answer = a
	if c == nil || a.Outcome != OutcomeRefused {
		m.attempt = nil
	}
	m.mu.Unlock()
	m.change(func(r *Record) { r.Request = nil })
}
