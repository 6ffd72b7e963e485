package update

import (
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

// Ask has the machine do what a person asks for. It returns an error if that could not be
// saved: then it is not done. A request to go back that is repeated while the machine goes
// back is the same one.
func (m *Machine) Ask(r Request) error {
	defer m.Wake()
	if now := m.read(); r.Rollback && r.To == "" && now.Change != nil && now.Change.Cause == api.CauseRollback {
		return nil
	}
	return m.tryOrUndo(func(record *Record) {
		record.Request = &r
		if !r.Check {
			record.Paused = ""
		}
	})
}

// Hold leaves the container as it is, until a time if there is one.
func (m *Machine) Hold(by string, until *time.Time) error {
	defer m.Wake()
	return m.tryOrUndo(func(r *Record) { r.Hold = &api.Hold{By: by, At: time.Now(), Until: until} })
}

// Unhold ends a hold and a pause.
func (m *Machine) Unhold() error {
	defer m.Wake()
	return m.tryOrUndo(func(r *Record) { r.Hold, r.Paused, r.Failures = nil, "", 0 })
}

// tryOrUndo changes the record, unless it cannot be saved.
func (m *Machine) tryOrUndo(f func(*Record)) error {
	before := m.read()
	err := m.tryChange(f)
	if err != nil {
		m.mu.Lock()
		m.record = before
		m.mu.Unlock()
		m.show()
	}
	return err
}

// Unassigned forgets what ran, since nothing runs any more: a container that is assigned
// again later is a first start. History and quarantine stay.
func (f Files) Unassigned(name string) error {
	r, err := f.Load(name)
	if err != nil || r.Confirmed == nil && r.Change == nil && r.Request == nil {
		return err
	}
	r.Confirmed, r.Previous, r.Change, r.Request, r.Failures, r.Paused = nil, nil, nil, nil, 0, ""
	return f.Save(name, r)
}

// activeHold returns the hold that is in force, nil without one.
func (r *Record) activeHold(now time.Time) *api.Hold {
	if r.Hold == nil || r.Hold.Until != nil && !now.Before(*r.Hold.Until) {
		return nil
	}
	return r.Hold
}
