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

// output checks each line of both streams.
func (s *suite) output() {
	m := s.run("-log-rate", "100", "-ignore-sigterm")
	s.until("ten lines", func() bool { return strings.Count(m.stdout.String(), "\n") >= 10 })
	if err := s.engine.Stop(s.Context(), m.id, time.Second); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, exitKilled)
	for n, line := range slices.Collect(strings.Lines(m.stdout.String())) {
		if want := fmt.Sprintf("line %d of the test application\n", n+1); line != want {
			s.Fatalf("line %d of stdout is %q, want %q", n+1, line, want)
		}
	}
	if got, want := m.stderr.String(), "ignoring SIGTERM\n"; got != want {
		s.Errorf("stderr is %q, want %q", got, want)
	}
}

func (s *suite) terminal() {
	m := s.start(container.Config{Tty: true, Cmd: []string{"-log-rate", "100", "-log-stderr"}})
	s.until("a line", func() bool { return strings.Contains(m.stdout.String(), "line 1 of the test application") })
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
	if got := m.stderr.String(); got != "" {
		s.Errorf("stderr is %q, want all output in one stream", got)
	}
}

// numbered checks that a stream has the application's lines from the first on, none
// lost or doubled, and at least a minimum number.
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
	m := &watched{id: s.create(container.Config{Cmd: []string{"-log-rate", "100"}})}
	s.startWatched(m, engine.Output{})
	select {
	case <-m.relay.Done():
	default:
		s.Errorf("Attach() relays output that has no writer")
	}
	if err := s.engine.Follow(s.Context(), m.id, m.relay); err != nil {
		s.Errorf("Follow() = %v, want nil", err)
	}
}

// full is a full disk, until freed is set.
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

// outputUnwritable checks that a container keeps running if its output cannot be
// written.
func (s *suite) outputUnwritable() {
	m := &watched{id: s.create(container.Config{Cmd: []string{"-log-rate", "100"}}), stderr: &written{}}
	disk, troubles := &full{}, make(chan error, 100)
	s.startWatched(m, engine.Output{Stdout: disk, Stderr: m.stderr, Trouble: func(err error) { troubles <- err }})
	select {
	case err := <-troubles:
		if want := "write the container's stdout: no space left on device"; err.Error() != want {
			s.Errorf("Trouble got %q, want %q", err, want)
		}
	case <-time.After(patience):
		s.Fatalf("Trouble got nothing within %s", patience)
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
		s.Errorf("Trouble was called %d more times", n)
	}
}

// follows continues the relay until the returned function is called, which ends its
// connection to the Engine.
func (s *suite) follows(m *watched) (lose func() error) {
	s.Helper()
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.engine.Follow(ctx, m.id, m.relay) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// lost loses the connection to a container's output several times while the container
// writes. Then it stops the container and relays the rest.
func (s *suite) lost(m *watched) {
	s.Helper()
	more := func() {
		lines := strings.Count(m.stdout.String(), "\n")
		s.until("more lines", func() bool { return strings.Count(m.stdout.String(), "\n") > lines+20 })
	}
	more()
	m.relay.Close()
	for range 3 {
		lose := s.follows(m)
		more()
		if err := lose(); !errors.Is(err, context.Canceled) {
			s.Errorf("Follow() = %v, want context.Canceled", err)
		}
	}
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
	for range 2 { // the second time there is nothing left
		if err := s.engine.Follow(s.Context(), m.id, m.relay); err != nil {
			s.Errorf("Follow() after the exit = %v", err)
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
		s.Errorf("the terminal's lines do not end with CR and LF")
	}
}

// lostStream checks that only the stream with a writer is relayed.
func (s *suite) lostStream() {
	m := &watched{id: s.create(container.Config{Cmd: []string{"-log-rate", "1000", "-log-stderr"}}), stdout: &written{}}
	s.startWatched(m, engine.Output{Stderr: m.stdout})
	s.lost(m)
	s.numbered("stderr", m.stdout.String(), 80)
}

func (s *suite) lostWithoutLog() {
	m := &watched{
		id:     s.createOn(container.Config{Cmd: []string{"-log-rate", "100"}}, container.HostConfig{LogConfig: container.LogConfig{Type: "none"}}),
		stdout: &written{},
	}
	s.startWatched(m, engine.Output{Stdout: m.stdout})
	s.until("a line", func() bool { return m.stdout.String() != "" })
	m.relay.Close()
	if err := s.engine.Follow(s.Context(), m.id, m.relay); !errors.Is(err, engine.ErrUnreadable) {
		s.Errorf("Follow() = %v, want ErrUnreadable", err)
	}
	if err := s.engine.Follow(s.Context(), "enginetest-none", m.relay); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Follow() of an unknown container = %v, want ErrNotFound", err)
	}
}
