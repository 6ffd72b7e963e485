package enginetest

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

// watched is a container whose output, exit and events are received.
type watched struct {
	id             string
	relay          *engine.Relay
	exit           <-chan engine.Exit
	events         <-chan engine.Event
	stdout, stderr *written
}

// written has the output of a container so far.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(text)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// create creates a container of the application and removes it after the test. The
// container has no network, and no health check unless config has one.
func (s *suite) create(config container.Config) string {
	s.Helper()
	return s.createOn(config, container.HostConfig{})
}

func (s *suite) createOn(config container.Config, host container.HostConfig) string {
	s.Helper()
	host.NetworkMode = "none"
	config.Image = s.host.App
	if config.Healthcheck == nil {
		config.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	}
	name := fmt.Sprintf("enginetest-%d", time.Now().UnixNano())
	id, _, err := s.engine.Create(s.Context(), engine.CreateRequest{
		Name: name, Config: &config, HostConfig: &host,
	})
	if err != nil {
		s.Fatalf("Create(%q) = %v", name, err)
	}
	s.Cleanup(func() {
		if err := s.engine.Remove(context.WithoutCancel(s.Context()), id); err != nil {
			s.Errorf("Remove() = %v", err)
		}
	})
	return id
}

// start creates a container, listens to it and starts it, in the order that misses
// nothing.
func (s *suite) start(config container.Config) *watched {
	s.Helper()
	m := &watched{id: s.create(config), stdout: &written{}, stderr: &written{}}
	s.startWatched(m, engine.Output{Stdout: m.stdout, Stderr: m.stderr, TTY: config.Tty})
	return m
}

func (s *suite) startWatched(m *watched, out engine.Output) {
	s.Helper()
	var err error
	m.relay, err = s.engine.Attach(s.Context(), m.id, nil, out)
	if err != nil {
		s.Fatalf("Attach() = %v", err)
	}
	s.Cleanup(m.relay.Close)
	m.exit = s.engine.Wait(s.Context(), m.id)
	m.events = s.engine.Events(s.Context(), m.id, "health_status", "kill", "stop")
	if err := s.engine.Start(s.Context(), m.id); err != nil {
		s.Fatalf("Start() = %v", err)
	}
}

// run starts a container with these arguments.
func (s *suite) run(args ...string) *watched {
	s.Helper()
	return s.start(container.Config{Cmd: args})
}

// ends waits for the exit of a container and the end of its output.
func (s *suite) ends(m *watched, want int) {
	s.Helper()
	select {
	case e := <-m.exit:
		if e.Err != nil || e.Code != want {
			s.Errorf("Wait() = %+v, want exit code %d", e, want)
		}
	case <-time.After(patience):
		s.Fatalf("Wait() reported nothing within %s", patience)
	}
	select {
	case <-m.relay.Done():
	case <-time.After(patience):
		s.Fatalf("Attach() did not end within %s", patience)
	}
}

// hears waits for these events and fails if it receives another.
func (s *suite) hears(m *watched, want ...engine.Event) {
	s.Helper()
	for _, w := range want {
		select {
		case got := <-m.events:
			if got != w {
				s.Fatalf("Events() sent %+v, want %+v of %+v", got, w, want)
			}
		case <-time.After(patience):
			s.Fatalf("Events() did not send %+v within %s", w, patience)
		}
	}
}

// until waits for a condition.
func (s *suite) until(what string, holds func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			s.Fatalf("%s: not within %s", what, patience)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// logging waits until a container writes its first line. Before that, any signal would
// end it, because it handles none yet.
func (s *suite) logging(m *watched) {
	s.Helper()
	s.until("the first line", func() bool { return m.stdout.String() != "" })
}
