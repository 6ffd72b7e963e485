package fleetlock

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	// unclear is how long a slot may stay taken after a request without an answer,
	// unless the request is repeated.
	unclear = longestWait
	// spread is the time over which the hosts of a fleet that boots report that they
	// are steady.
	spread = time.Minute
)

// Lock is a group of a lock manager.
type Lock struct {
	BaseURL string `json:"base_url"`
	Group   string `json:"group"`
}

// User is a container whose updates need a slot.
type User struct {
	Name string
	Lock Lock
	// Updating says that the container was replaced, and the outcome is not known yet.
	Updating bool
}

// locker is a [Client].
type locker interface {
	Acquire(ctx context.Context) error
	Release(ctx context.Context) error
}

// Slots takes slots for the containers of this host, and gives them back. A host has one
// slot of a group at most: containers that are replaced at the same time share it, and
// the last one gives it back.
type Slots struct {
	file file
	// client returns the client for a lock.
	client func(Lock) locker
	log    *zap.Logger
	wake   chan struct{}

	mu    sync.Mutex
	slots map[Lock]*slot
}

// slot is what the host has of one lock.
type slot struct {
	// request is locked while a request is made.
	request sync.Mutex

	// Slots.mu guards the rest.

	// until has, by the name of the container, when it needs the slot no more; zero
	// while that is unknown.
	until map[string]time.Time
	tries backoff.Backoff
	// next is when the slot is given back again after that failed.
	next time.Time
}

// NewSlots returns the slots that the host had according to a file, and keeps them there,
// so that a slot is given back even if the agent is killed. id returns the [ID] of the
// host.
func NewSlots(path string, id func() string, log *zap.Logger) *Slots {
	s := &Slots{
		file: file{path}, log: log, wake: make(chan struct{}, 1), slots: map[Lock]*slot{},
		client: func(l Lock) locker { return New(l.BaseURL, l.Group, id()) },
	}
	records, err := s.file.load()
	if err != nil {
		log.Warn("slots of the fleet are unknown", zap.Error(err))
	}
	for _, r := range records {
		s.slot(r.Lock).until = r.Until
	}
	return s
}

// Begin tells the users of slots after a start. As the protocol demands, the host reports
// once that it is steady, except for slots that an update still needs.
func (s *Slots) Begin(users []User) {
	now := time.Now()
	s.change(func() {
		updating := map[Lock]map[string]bool{}
		for _, u := range users {
			until := s.slot(u.Lock).until
			if u.Updating {
				if updating[u.Lock] == nil {
					updating[u.Lock] = map[string]bool{}
				}
				updating[u.Lock][u.Name] = true
			} else if _, known := until[u.Name]; !known {
				until[u.Name] = now.Add(rand.N(spread)) //nolint:gosec // jitter is not a secret
			}
		}
		for lock, slot := range s.slots {
			for name, until := range slot.until {
				if until.IsZero() && !updating[lock][name] {
					slot.until[name] = now
				}
			}
		}
	})
}

// Take takes the slot for a container, or returns why it cannot, like [Client.Acquire].
// Whoever has taken it calls Give.
func (s *Slots) Take(ctx context.Context, name string, lock Lock) error {
	slot := s.lockSlot(lock)
	slot.request.Lock()
	defer slot.request.Unlock()
	s.change(func() { slot.until[name] = time.Time{} })
	err := s.client(lock).Acquire(ctx)
	switch {
	case err == nil:
	case errors.Is(err, ErrBusy):
		s.change(func() { delete(slot.until, name) })
	default:
		s.change(func() { slot.until[name] = time.Now().Add(unclear) })
	}
	return err
}

// Give gives back what a container has taken, after a while and in the background.
func (s *Slots) Give(name string, after time.Duration) {
	s.change(func() {
		for _, slot := range s.slots {
			if until, takes := slot.until[name]; takes && until.IsZero() {
				slot.until[name] = time.Now().Add(after)
			}
		}
	})
}

// Run gives slots back until ctx ends.
func (s *Slots) Run(ctx context.Context) {
	for ctx.Err() == nil {
		s.await(ctx, s.giveBack(ctx))
	}
}

// await waits until a time, or until a slot changes; zero never comes.
func (s *Slots) await(ctx context.Context, until time.Time) {
	var due <-chan time.Time
	if !until.IsZero() {
		timer := time.NewTimer(time.Until(until))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-ctx.Done():
	case <-s.wake:
	case <-due:
	}
}

// giveBack gives back what is due, and returns when something else will be; zero for
// never.
func (s *Slots) giveBack(ctx context.Context) (next time.Time) {
	s.mu.Lock()
	locks := make([]Lock, 0, len(s.slots))
	for lock := range s.slots {
		locks = append(locks, lock)
	}
	s.mu.Unlock()
	for _, lock := range locks {
		s.release(ctx, lock)
		if at := s.due(lock); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	return next
}

// due returns when a slot is to be given back; zero while a container needs it.
func (s *Slots) due(lock Lock) (at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	slot := s.slot(lock)
	for _, until := range slot.until {
		if until.IsZero() {
			return time.Time{}
		}
		if until.After(at) {
			at = until
		}
	}
	if slot.next.After(at) && len(slot.until) > 0 {
		at = slot.next
	}
	return at
}

// release gives a slot back if that is due.
func (s *Slots) release(ctx context.Context, lock Lock) {
	slot := s.lockSlot(lock)
	slot.request.Lock()
	defer slot.request.Unlock()
	if at := s.due(lock); at.IsZero() || time.Now().Before(at) {
		return
	}
	err := s.client(lock).Release(ctx)
	if err != nil && ctx.Err() == nil && slot.next.IsZero() {
		s.log.Warn("slot of the fleet not given back, trying again", zap.Error(err))
	}
	s.change(func() {
		if err != nil {
			slot.next = time.Now().Add(slot.tries.Step())
			return
		}
		slot.next, slot.tries = time.Time{}, Tries()
		clear(slot.until)
	})
}

// change changes the slots and saves them.
func (s *Slots) change(f func()) {
	s.mu.Lock()
	f()
	var records []record
	for lock, slot := range s.slots {
		if len(slot.until) > 0 {
			records = append(records, record{lock, slot.until})
		}
	}
	if err := s.file.save(records); err != nil {
		s.log.Warn("slots of the fleet not saved", zap.Error(err))
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Slots) lockSlot(lock Lock) *slot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.slot(lock)
}

// slot returns the slot of a lock. The caller holds mu, except in NewSlots.
func (s *Slots) slot(lock Lock) *slot {
	if s.slots[lock] == nil {
		s.slots[lock] = &slot{until: map[string]time.Time{}, tries: Tries()}
	}
	return s.slots[lock]
}
