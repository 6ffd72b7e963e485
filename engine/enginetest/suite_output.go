package enginetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

// numbered checks that a stream is the application's lines, from the first on,
// none lost or doubled, and at least so many.
func (s *suite) numbered(what, text string, least int) {
	s.Helper()
	lines := slices.Collect(strings.Lines(text))
	for n, line := range lines {
		if want := fmt.Sprintf("line %d of the test application", n+1); strings.TrimRight(line, "\r\n") != want {
			s.Fatalf("line %d of %s is %q, want %q", n+1, what, line, want)
		}
	}
	if len(lines) < least {
		s.Errorf("%s has %d lines, want %d", what, len(lines), least)
	}
}

func (s *suite) outputUnwanted() {
	m := &made{id: s.create(container.Config{Cmd: []string{"-log-rate", "100"}})}
	s.startMade(m, engine.Output{})
	select {
	case <-m.attachment.Done():
	default:
		s.Errorf("Attach() relays what nobody wants")
	}
	if err := s.engine.Follow(s.Context(), m.id, m.attachment); err != nil {
		s.Errorf("Follow() = %v, want that it is done", err)
	}
}

// full is a disk that is full until it is freed.
type full struct {
	written
	mu    sync.Mutex
	freed bool
}

func (f *full) Write(text []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.freed {
		return 0, errors.New("no space left on device")
	}
	return f.written.Write(text)
}

// outputUnwritable: a container goes on when its output cannot be written.
func (s *suite) outputUnwritable() {
	m := &made{id: s.create(container.Config{Cmd: []string{"-log-rate", "100"}}), stderr: &written{}}
	disk, troubles := &full{}, make(chan error, 100)
	s.startMade(m, engine.Output{Stdout: disk, Stderr: m.stderr, Trouble: func(err error) { troubles <- err }})
	select {
	case err := <-troubles:
		if want := "write the container's stdout: no space left on device"; err.Error() != want {
			s.Errorf("Trouble was told %q, want %q", err, want)
		}
	case <-time.After(patience):
		s.Fatalf("Trouble was told nothing within %s", patience)
	}
	disk.mu.Lock()
	disk.freed = true
	disk.mu.Unlock()
	s.until("a line", func() bool { return strings.Contains(disk.String(), "of the test application\n") })
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
	if n := len(troubles); n > 0 {
		s.Errorf("Trouble was told %d times more", n)
	}
}

// follows goes on with the relay until the function that it returns is called,
// which has it lose its connection to the Engine.
func (s *suite) follows(m *made) (lose func() error) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.engine.Follow(ctx, m.id, m.attachment) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// lost loses the connection of a container's output some times while it
// writes, stops the container, and takes the rest.
func (s *suite) lost(m *made) {
	s.Helper()
	more := func() {
		lines := strings.Count(m.stdout.String(), "\n")
		s.until("more lines", func() bool { return strings.Count(m.stdout.String(), "\n") > lines+20 })
	}
	more()
	m.attachment.Close()
	for range 3 {
		lose := s.follows(m)
		more()
		if err := lose(); !errors.Is(err, context.Canceled) {
			s.Errorf("Follow() = %v, want that it was ended", err)
		}
	}
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
	for range 2 { // the second finds nothing more
		if err := s.engine.Follow(s.Context(), m.id, m.attachment); err != nil {
			s.Errorf("Follow() of what has ended = %v", err)
		}
	}
}

func (s *suite) lostOutput() {
	m := s.run("-log-rate", "1000")
	s.lost(m)
	s.numbered("stdout", m.stdout.String(), 80)
	if got := m.stderr.String(); got != "" {
		s.Errorf("stderr is %q, want nothing", got)
	}
}

func (s *suite) lostTerminal() {
	m := s.start(container.Config{Tty: true, Cmd: []string{"-log-rate", "1000"}})
	s.lost(m)
	s.numbered("the terminal", m.stdout.String(), 80)
	if !strings.HasSuffix(m.stdout.String(), "\r\n") {
		s.Errorf("the terminal's lines end otherwise than by CR and LF")
	}
}

// lostStream: the stream that is not wanted is not asked for either.
func (s *suite) lostStream() {
	m := &made{id: s.create(container.Config{Cmd: []string{"-log-rate", "1000", "-log-stderr"}}), stdout: &written{}}
	s.startMade(m, engine.Output{Stderr: m.stdout})
	s.lost(m)
	s.numbered("stderr", m.stdout.String(), 80)
}

func (s *suite) lostWithoutLog() {
	m := &made{
		id:     s.createOn(container.Config{Cmd: []string{"-log-rate", "100"}}, container.HostConfig{LogConfig: container.LogConfig{Type: "none"}}),
		stdout: &written{},
	}
	s.startMade(m, engine.Output{Stdout: m.stdout})
	s.until("a line", func() bool { return m.stdout.String() != "" })
	m.attachment.Close()
	if err := s.engine.Follow(s.Context(), m.id, m.attachment); !errors.Is(err, engine.ErrUnreadable) {
		s.Errorf("Follow() = %v, want ErrUnreadable", err)
	}
	if err := s.engine.Follow(s.Context(), "enginetest-none", m.attachment); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Follow() of no container = %v, want ErrNotFound", err)
	}
}
