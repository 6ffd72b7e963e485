package update

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// returnTime bounds the wait until the old container is ready again after a rollback.
const returnTime = 5 * time.Minute

// observe has the container in force run, and looks whether it is well.
func (m *Machine) observe(ctx context.Context, current *spec.Container) {
	o, ok := m.look(ctx, current, PhaseSoaking)
	if !ok {
		return
	}
	settings := m.host.Settings(current)
	if m.soak == nil || m.soak.hash != current.Hash() {
		since := time.Time{} // a first start counts from when it is ready
		if c := m.read().Change; c.Cause != api.CauseStart {
			since = c.Since
		}
		image, err := m.host.Image(ctx, current)
		if err != nil {
			m.putOff(ctx, lookID(PhaseSoaking, current), err)
			return
		}
		m.soak = newSoak(current, image, since)
		if m.replaced != current.Hash() {
			m.soak.restarts = o.Restarts // it is not known why
		}
	}
	m.soak.length = max(settings.Monitor, m.soak.check) // the settings may have changed
	v, why, at := m.soak.judge(o, time.Now())
	if v != undecided || o.Ready && o.Hash == current.Hash() {
		m.host.EndBeside(ctx)
	}
	switch v {
	case well:
		m.confirm(ctx, current, o)
	case notWell:
		m.fail(ctx, current, settings, o, why)
	case undecided:
		m.showSoak(at)
		m.await(ctx, nearest(at, time.Now().Add(lookAgain)))
	}
}

// rest waits until someone starts the container again.
func (m *Machine) rest(ctx context.Context) {
	m.host.EndBeside(ctx)
	m.rested = true
	m.explain("stopped; the update continues once the container is started")
	m.await(ctx, time.Time{})
}

// look returns how the container in force is.
func (m *Machine) look(ctx context.Context, current *spec.Container, phase Phase) (o Observation, ok bool) {
	id := lookID(phase, current)
	if m.waits(id) {
		m.await(ctx, time.Time{})
		return o, false
	}
	o, err := m.host.Observe(ctx)
	if err != nil {
		m.putOff(ctx, id, err)
		return o, false
	}
	return o, true
}

// lookID is the id of a look at the container in force.
func lookID(phase Phase, current *spec.Container) string { return string(phase) + " " + current.Hash() }

// putOff tries something later that failed now, and shows why.
func (m *Machine) putOff(ctx context.Context, id string, err error) {
	if ctx.Err() == nil {
		m.explain(err.Error())
		m.retry.set(id, err, m.host)
	}
}

// explain shows why an update that replaced the container does not continue, after why it is
// rolled back.
func (m *Machine) explain(why string) {
	m.mu.Lock()
	c := m.record.Change
	if c != nil && c.Failure != "" {
		why = c.Failure + "; " + why
	}
	changed := c != nil && c.Why != why
	if changed {
		next := m.record.clone()
		next.Change.Why = why
		m.record = next
	}
	m.mu.Unlock()
	if changed {
		m.show()
	}
}

// showSoak shows what the soak waits for.
func (m *Machine) showSoak(at time.Time) {
	why := "waiting until it is ready"
	if !at.IsZero() {
		why = "ready, and observed until " + at.Format(time.TimeOnly)
	}
	m.explain(why)
}

// confirm ends an update well.
func (m *Machine) confirm(ctx context.Context, current *spec.Container, o Observation) {
	image := o.Image
	if image.Ref == "" {
		whole, err := m.host.Image(ctx, current)
		if err != nil {
			m.putOff(ctx, lookID(PhaseSoaking, current), err)
			return
		}
		if whole.ID != "" {
			image = whole
		}
	}
	if m.keepCurrent(ctx, image.ID); ctx.Err() != nil {
		return
	}
	confirmed := &Revision{Container: current, ImageID: image.ID, Digest: image.Digest, Ref: image.Ref}
	now := time.Now()
	var entry api.HistoryEntry
	m.change(func(r *Record) {
		r.Change.To = *confirmed
		if r.Confirmed != nil && (r.Confirmed.ImageID != confirmed.ImageID || r.Confirmed.Container.Hash() != current.Hash()) {
			r.Previous = r.Confirmed
		}
		r.Confirmed, r.Failures, r.Paused = confirmed, 0, ""
		r.release(current.Unpinned().Hash(), confirmed.Digest)
		entry = r.end(m.name, OutcomeConfirmed, "", now)
	})
	m.ended(entry, current, false)
}

// keepCurrent protects the image of a revision that is about to be the confirmed one. It
// comes before the record: an agent that is killed between the two confirms again.
func (m *Machine) keepCurrent(ctx context.Context, id string) {
	if id == "" {
		return
	}
	if err := m.host.Keep(ctx, "current", id); err != nil && ctx.Err() == nil {
		m.log.Warn("image of the container not protected from removal", zap.Error(err))
	}
}

// ended tells who has to know about an outcome.
func (m *Machine) ended(entry api.HistoryEntry, current *spec.Container, failed bool) {
	m.soak = nil
	if entry.Cause != api.CauseStart { // nobody was asked before a first start
		m.host.Passed(m.host.Settings(current), failed)
	}
	m.host.Tell(entry)
}

// fail does what the failure action says.
func (m *Machine) fail(ctx context.Context, current *spec.Container, settings spec.Update, o Observation, why string) {
	r := m.read()
	if r.Confirmed == nil {
		// Nothing to go back to: systemd tries again.
		m.explain("not well, and there is no earlier revision to go back to: " + why)
		m.soak.since, m.soak.restarts, m.soak.kills = time.Now(), o.Restarts, o.OOMKills
		m.await(ctx, time.Now().Add(lookAgain))
		return
	}
	output := m.host.Output(ctx, r.Change.Since)
	now := time.Now()
	if settings.FailureAction == spec.FailureRollback && r.Change.Cause != api.CauseRollback {
		m.log.Error("container is not well, going back to the revision before", zap.String("image", current.Image), zap.String("why", why))
		m.change(func(r *Record) {
			r.Change.Output, r.Change.Failure = output, why
			r.Change.enter(PhaseRollingBack, why, now)
			r.quarantine(r.Change.target(o.Image), why, now)
			r.failed(settings)
			r.Confirmed = &Revision{Container: r.Confirmed.pinned(), ImageID: r.Confirmed.ImageID, Digest: r.Confirmed.Digest, Ref: r.Confirmed.Ref}
		})
		return
	}
	if m.keepCurrent(ctx, r.Change.target(o.Image).ImageID); ctx.Err() != nil {
		return
	}
	var entry api.HistoryEntry
	m.change(func(r *Record) {
		r.Change.Output = output
		r.Change.To = r.Change.target(o.Image)
		r.failed(settings)
		if settings.FailureAction == spec.FailurePause {
			r.Paused = fmt.Sprintf("the update to %s failed: %s", revisionName(current.Image, r.Change.To.Digest), why)
		}
		r.Previous, r.Confirmed = r.Confirmed, &Revision{
			Container: current, ImageID: r.Change.To.ImageID, Digest: r.Change.To.Digest, Ref: r.Change.To.Ref,
		}
		entry = r.end(m.name, OutcomeFailed, why, now)
	})
	m.ended(entry, current, true)
}

// failed counts an update that failed.
func (r *Record) failed(settings spec.Update) {
	r.Failures++
	if settings.PauseAfter > 0 && r.Failures >= settings.PauseAfter {
		r.Paused = fmt.Sprintf("%d updates in a row have failed", r.Failures)
	}
}

// target returns what an update put in force, with the image that runs.
func (c *Change) target(image Image) Revision {
	to := c.To
	if image.ID != "" {
		to.ImageID, to.Digest, to.Ref = image.ID, image.Digest, image.Ref
	}
	return to
}

// rollBack puts the confirmed revision in force again, and waits until it is ready.
func (m *Machine) rollBack(ctx context.Context, current *spec.Container) {
	if m.rested { // the container has all its time again
		m.rested = false
		m.change(func(r *Record) { r.Change.Since = m.now })
	}
	r := m.read()
	to := r.Confirmed.under(current.Update)
	if current.Hash() != to.Hash() {
		id := "back " + to.Hash()
		if m.waits(id) {
			m.await(ctx, time.Time{})
			return
		}
		if m.host.Settings(to).RollbackOrder == spec.StartFirst {
			if err := m.host.Beside(ctx, to); err != nil && ctx.Err() == nil {
				m.log.Warn("going back without a second container", zap.Error(err))
			}
		}
		if err := m.host.Replace(ctx, to); err != nil && ctx.Err() == nil {
			m.log.Error("container not rolled back, trying again", zap.Error(err))
			m.idle = true
			m.retry.set(id, err, m.host)
		}
		return
	}
	if m.idle && !m.waits("start") {
		m.start(ctx)
	}
	o, ok := m.look(ctx, current, PhaseRollingBack)
	if !ok {
		return
	}
	now, end := time.Now(), r.Change.Since.Add(returnTime)
	why := r.Change.Failure
	switch {
	case o.Hash == to.Hash() && (o.Ready || o.Finished):
	case o.Hash == to.Hash() && o.Failure.Hash == to.Hash() && o.Failure.At.After(r.Change.Since) && (o.Ended || o.Restarts > 0):
		why += "; the revision before fails, too: " + o.Failure.Message
	case !now.Before(end):
		why += "; the revision before is not ready yet"
	default:
		m.await(ctx, nearest(end, now.Add(lookAgain)))
		return
	}
	m.host.EndBeside(ctx)
	var entry api.HistoryEntry
	m.change(func(r *Record) { entry = r.end(m.name, OutcomeRolledBack, why, now) })
	m.ended(entry, current, true)
}

// nearest returns the earlier of two times, of which the first may be zero.
func nearest(a, b time.Time) time.Time {
	if !a.IsZero() && a.Before(b) {
		return a
	}
	return b
}
