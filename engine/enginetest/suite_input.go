package enginetest

import (
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

// input relays a client's input to a container that reads it once, and its end.
func (s *suite) input() {
	id := s.create(container.Config{Cmd: []string{"copy"}, OpenStdin: true, AttachStdin: true, StdinOnce: true})
	out := &written{}
	relay, err := s.engine.Attach(s.Context(), id, strings.NewReader("one\ntwo\n"), engine.Output{Stdout: out})
	if err != nil {
		s.Fatal(err)
	}
	s.Cleanup(relay.Close)
	exit := s.engine.Wait(s.Context(), id)
	if err := s.engine.Start(s.Context(), id); err != nil {
		s.Fatal(err)
	}
	if got := <-exit; got.Err != nil || got.Code != 0 {
		s.Errorf("exit = %+v, want 0", got)
	}
	<-relay.Done()
	if got := out.String(); got != "one\ntwo\n" {
		s.Errorf("output = %q, want the input", got)
	}
}
