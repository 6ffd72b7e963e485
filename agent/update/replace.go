package update

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// replace puts a candidate in force. The record is saved first: an agent that is killed
// from then on knows what to go back to.
func (m *Machine) replace(ctx context.Context, c *candidate, current *spec.Container) {
	m.mu.Lock()
	change := m.attempt.clone()
	m.mu.Unlock()
	settings := m.host.Settings(current)
	if replaced := change.Replaced; replaced != nil && replaced.ImageID != "" {
		if err := m.host.Keep(ctx, "previous", replaced.ImageID); err != nil && ctx.Err() == nil {
			m.log.Warn("image of the container in force not protected from removal", zap.Error(err))
		}
	}
	serves := m.serves(ctx, current)
	if ctx.Err() != nil {
		return // the next run begins with all of this again
	}
	now := time.Now()
	change.enter(PhaseReplacing, "", now)
	err := m.tryOrUndo(func(r *Record) {
		if r.Change != nil {
			r.end(m.name, OutcomeSuperseded, "", now)
		}
		if r.Confirmed == nil && serves {
			r.Confirmed = change.Replaced // ready, if not yet for its whole soak
		}
		if c.cause == api.CauseRollback && change.Replaced != nil {
			r.quarantine(*change.Replaced, "a person went back from it", now)
		}
		r.Change = change
	})
	if err != nil {
		m.host.Passed(settings, false)
		m.refuse(c, err)
		return
	}
	if !m.startFirst(ctx, c, settings.Order, change) {
		return
	}
	if err := m.host.Replace(ctx, change.To.Container); err != nil {
		m.idle = true // it may be in force
		if ctx.Err() != nil {
			return
		}
		if now, _ := m.host.InForce(); now == nil || now.Hash() != change.To.Container.Hash() {
			m.host.Passed(settings, false)
		}
		m.refuse(c, err)
		return
	}
	m.mu.Lock()
	m.attempt = nil
	m.mu.Unlock()
	hash := change.To.Container.Hash()
	m.soak, m.idle, m.replaced = nil, false, hash
	m.retry.stop()
	m.change(func(r *Record) {
		r.Request = nil
		if r.Change != nil {
			r.Change.enter(PhaseSoaking, "", time.Now())
		}
	})
}

// serves reports whether the container in force is ready.
func (m *Machine) serves(ctx context.Context, current *spec.Container) bool {
	o, err := m.host.Observe(ctx)
	return err == nil && o.Ready && o.Hash == current.Hash()
}

// startFirst runs what an update puts in force beside the old container, if that is its
// order. It returns false if that failed: the old container was not stopped then.
func (m *Machine) startFirst(ctx context.Context, c *candidate, order spec.UpdateOrder, change *Change) bool {
	if order != spec.StartFirst || c.force && c.cause == api.CauseRollback {
		return true
	}
	err := m.host.Beside(ctx, change.To.Container)
	if err == nil || ctx.Err() != nil {
		return err == nil
	}
	if why := (*NotWellError)(nil); !errors.As(err, &why) {
		// The container is not to blame. The next turn drops the change.
		m.refuse(c, err)
		return false
	}
	m.log.Error("container is not well beside the old one, which stays", zap.String("image", c.to.Image), zap.Error(err))
	settings := m.host.Settings(change.To.Container)
	now := time.Now()
	output := m.host.Output(ctx, change.Since)
	m.host.EndBeside(ctx)
	var entry api.HistoryEntry
	m.mu.Lock()
	m.attempt = nil
	m.mu.Unlock()
	m.retry.stop()
	m.change(func(r *Record) {
		r.Request = nil
		r.Change.Output = output
		r.quarantine(r.Change.To, err.Error(), now)
		r.failed(settings)
		entry = r.end(m.name, OutcomeRolledBack, err.Error(), now)
	})
	m.host.Passed(settings, true)
	m.host.Tell(entry)
	return false
}

// runningRevision returns the container in force with its image.
func (m *Machine) runningRevision(ctx context.Context, current *spec.Container) (*Revision, error) {
	image, err := m.host.Image(ctx, current)
	if err != nil {
		return nil, err // without its image, nothing could go back to it
	}
	return &Revision{Container: current, ImageID: image.ID, Digest: image.Digest, Ref: image.Ref}, nil
}
