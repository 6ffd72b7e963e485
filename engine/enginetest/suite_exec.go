package enginetest

import (
	"errors"
	"strings"

	"github.com/dockhost/dockhost/engine"
)

// kill sends a signal by each of its names and checks the events.
func (s *suite) kill() {
	m := s.run("-log-rate", "100")
	s.logging(m)
	for _, name := range []string{"HUP", "SIGHUP", "1"} {
		if err := s.engine.Kill(s.Context(), m.id, name); err != nil {
			s.Errorf("Kill(%q) = %v", name, err)
		}
		s.hears(m, engine.Event{Action: "kill", Signal: 1})
	}
	s.until("three reloads", func() bool { return strings.Contains(m.stderr.String(), "reload 3, by hangup") })
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
	if err := s.engine.Kill(s.Context(), m.id, "HUP"); !errors.Is(err, engine.ErrConflict) {
		s.Errorf("Kill() of a container that has ended = %v, want ErrConflict", err)
	}
}

// exec runs commands in the container.
func (s *suite) exec() {
	m := s.run("-log-rate", "100")
	s.logging(m)
	tests := []struct {
		command []string
		code    int
		output  string
	}{
		{[]string{"/app", "-check", ":8080"}, 0, ""},
		{[]string{"/app", "-no-such-flag"}, 2, "flag provided but not defined: -no-such-flag"},
		{[]string{"/no-such-program"}, 127, "no such file or directory"},
	}
	for _, test := range tests {
		var out strings.Builder
		code, err := s.engine.Exec(s.Context(), m.id, test.command, &out)
		// Docker 20.10 returns 126 for a program that does not exist.
		missing := test.code == 127 && code == 126
		if err != nil || (code != test.code && !missing) || !strings.Contains(out.String(), test.output) {
			s.Errorf("Exec(%q) = %d, %v and %q, want %d and %q", test.command, code, err, out.String(), test.code, test.output)
		}
	}
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
	if code, err := s.engine.Exec(s.Context(), m.id, []string{"/app", "-check", ":8080"}, new(strings.Builder)); !errors.Is(err, engine.ErrConflict) {
		s.Errorf("Exec() in a container that has ended = %d, %v, want ErrConflict", code, err)
	}
}
