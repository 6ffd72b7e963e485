package journal

import (
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// shortID is the length of an ID in docker ps and in CONTAINER_ID.
const shortID = 12

// About says which container an entry of the journal is about. The fields are those of
// Docker's log driver journald, with DOCKHOST_PHASE; they are fields of the journal
// alone, and not part of the message. What is not known is left out.
type About struct {
	// Name is the name of the container, Unit its unit: OBJECT_SYSTEMD_UNIT, by which
	// journalctl -u shows an entry that another unit has written.
	Name, Unit string
	// ID is the Engine's ID, Image the reference of the image.
	ID, Image string
	// Phase is the phase of the container's life.
	Phase string
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (a About) MarshalLogObject(encoder zapcore.ObjectEncoder) error {
	for _, field := range [][2]string{
		{"CONTAINER_NAME", a.Name},
		{"CONTAINER_TAG", a.Name},
		{"CONTAINER_ID", a.ID[:min(shortID, len(a.ID))]},
		{"CONTAINER_ID_FULL", a.ID},
		{"IMAGE_NAME", a.Image},
		{"OBJECT_SYSTEMD_UNIT", a.Unit},
		{"DOCKHOST_PHASE", a.Phase},
	} {
		if field[1] != "" {
			encoder.AddString(field[0], field[1])
		}
	}
	return nil
}

// Subject is the container that all entries of a logger are about. Its methods may be
// called by several goroutines at a time.
type Subject struct {
	mu    sync.Mutex
	about About
}

// Field returns the field that adds what is known at the time of each entry.
func (s *Subject) Field() zap.Field { return zap.Inline(s) }

// Set changes what is known.
func (s *Subject) Set(change func(a *About)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.about)
}

// MarshalLogObject implements [zapcore.ObjectMarshaler].
func (s *Subject) MarshalLogObject(encoder zapcore.ObjectEncoder) error {
	s.mu.Lock()
	about := s.about
	s.mu.Unlock()
	return about.MarshalLogObject(encoder)
}
