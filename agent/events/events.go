// Package events keeps what dockhost did in a file that survives reboots and does not
// grow: /var/lib/dockhost/events.jsonl. Nothing waits for the disk: events are written in
// the background, and while they cannot be written they are kept in memory. A damaged line
// costs that line alone.
package events

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/oneline"
)

const (
	// Path is the file on a host.
	Path = "/var/lib/dockhost/events.jsonl"
	// maxPending is how many events are kept in memory while they cannot be written.
	maxPending = 256
	// maxText bounds each text of an event, in bytes.
	maxText = 1000
	// maxUnread is how many events a follower may be behind. One that is further behind
	// is dropped.
	maxUnread = 256
	// MaxFollowers is how many clients may follow at a time.
	MaxFollowers = 32
)

// Store keeps the events. Its methods may be called by several goroutines at a time.
type Store struct {
	log  *zap.Logger
	wake chan struct{}

	// fileMu is held while the file is read or written. It is taken before mu.
	fileMu sync.Mutex
	file   file
	// failed says that the last write failed, and that this was logged.
	failed bool

	mu sync.Mutex
	// pending are not in the file yet; excess is how many of them were dropped.
	pending   []api.Event
	excess    int
	followers map[chan api.Event]struct{}
	repeats   repeats
}

// New returns a store with the file at a path. It has done nothing yet.
func New(path string, log *zap.Logger) *Store {
	return &Store{
		log: log, file: file{path: path}, wake: make(chan struct{}, 1),
		followers: map[chan api.Event]struct{}{}, repeats: repeats{},
	}
}

// Add keeps an event. It does not wait for the disk.
func (s *Store) Add(e api.Event) {
	e.Text, e.By = oneline.Of(e.Text, maxText), oneline.Of(e.By, maxText)
	e.From, e.To = oneline.Of(e.From, maxText), oneline.Of(e.To, maxText)
	s.mu.Lock()
	defer s.mu.Unlock()
	var suppressed bool
	if e.Repeats, suppressed = s.repeats.count(e); suppressed {
		return
	}
	s.pending = append(s.pending, e)
	if excess := len(s.pending) - maxPending; excess > 0 {
		s.pending = slices.Delete(s.pending, 0, excess)
		s.excess += excess
	}
	s.send(e)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Announce tells the followers of an event that is kept elsewhere.
func (s *Store) Announce(e api.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.send(e)
}

// send hands an event to the followers. The caller holds mu.
func (s *Store) send(e api.Event) {
	for follower := range s.followers {
		select {
		case follower <- e:
		default: // it does not read
			close(follower)
			delete(s.followers, follower)
		}
	}
}

// Run writes events until ctx ends, and then what is left.
func (s *Store) Run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			s.write()
			return
		case <-s.wake:
			s.write()
		}
	}
}

// write writes what is pending.
func (s *Store) write() {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	s.mu.Lock()
	batch, excess := slices.Clone(s.pending), s.excess
	s.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	err := s.file.append(batch)
	if err != nil && !s.failed {
		s.log.Warn("events not saved; they are kept in memory until they can be", zap.Error(err))
	}
	s.failed = err != nil
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// Some of the batch may have been dropped meanwhile.
	s.pending = slices.Delete(s.pending, 0, max(len(batch)-(s.excess-excess), 0))
}

// Since returns the events since a time, the oldest first.
func (s *Store) Since(since time.Time) []api.Event {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	s.mu.Lock()
	pending := slices.Clone(s.pending)
	s.mu.Unlock()
	return s.since(since, pending)
}

// since is Since with what is pending. The caller holds fileMu.
func (s *Store) since(since time.Time, pending []api.Event) []api.Event {
	events := append(s.file.read(), pending...)
	events = slices.DeleteFunc(events, func(e api.Event) bool { return e.At.Before(since) })
	slices.SortStableFunc(events, func(a, b api.Event) int { return a.At.Compare(b.At) })
	return events
}

// Follow returns the events since a time, and a channel that receives those that
// follow, until stop is called. The channel is closed when its reader is too slow. It is
// nil when there are too many followers.
func (s *Store) Follow(since time.Time) (events []api.Event, next <-chan api.Event, stop func()) {
	s.fileMu.Lock()
	defer s.fileMu.Unlock()
	follower := make(chan api.Event, maxUnread)
	s.mu.Lock()
	full := len(s.followers) >= MaxFollowers
	if !full {
		s.followers[follower] = struct{}{}
	}
	pending := slices.Clone(s.pending)
	s.mu.Unlock()
	if full {
		return nil, nil, func() {}
	}
	return s.since(since, pending), follower, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.followers, follower)
	}
}
