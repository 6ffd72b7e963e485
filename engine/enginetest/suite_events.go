package enginetest

import (
	"context"
	"errors"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

// eventsOfStop checks the order of events at a stop. The supervisor concludes from an
// exit without a preceding kill event that Docker did not stop the container.
func (s *suite) eventsOfStop() {
	m := s.start(container.Config{StopSignal: "SIGINT", Cmd: []string{"-log-rate", "100", "-ignore-sigterm"}})
	s.logging(m)
	received := s.engine.Events(s.Context(), m.id, "kill", "die")
	if state, err := s.engine.Inspect(s.Context(), m.id); err != nil || state.StopSignal != "SIGINT" {
		s.Errorf("Inspect() = %+v, %v, want its stop signal", state, err)
	}
	if err := s.engine.Stop(s.Context(), m.id, -time.Second); err != nil {
		s.Errorf("Stop() without a limit = %v", err)
	}
	s.ends(m, 0)
	s.hears(&watched{events: received}, engine.Event{Action: "kill", Signal: 2}, engine.Event{Action: "die"})
}

// eventsEnd checks that Events and Wait end with ctx.
func (s *suite) eventsEnd() {
	id := s.create(container.Config{})
	ctx, cancel := context.WithCancel(s.Context())
	received, exit := s.engine.Events(ctx, id, "stop"), s.engine.Wait(ctx, id)
	cancel()
	select {
	case _, open := <-received:
		if open {
			s.Errorf("Events() sent an event that did not happen")
		}
	case <-time.After(patience):
		s.Errorf("Events() did not end with ctx")
	}
	select {
	case e := <-exit:
		if !errors.Is(e.Err, context.Canceled) {
			s.Errorf("Wait() = %+v, want context.Canceled", e)
		}
	case <-time.After(patience):
		s.Errorf("Wait() did not end with ctx")
	}
}

// uses checks that a use is sent when a container of an image starts or ends.
func (s *suite) uses() {
	before := time.Now().Add(-time.Second)
	uses := s.engine.Uses(s.Context(), time.Time{})
	s.ends(s.run("-exit-after", "10ms", "-exit-code", "0"), 0)
	deadline := time.After(patience)
	for {
		select {
		case use := <-uses:
			if use.Image == s.host.App && use.At.After(before) {
				return
			}
		case <-deadline:
			s.Fatalf("Uses() did not send a use of %s within %s", s.host.App, patience)
		}
	}
}
