package enginetest

import (
	"bytes"
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

// made is a container that was created and is listened to.
type made struct {
	id             string
	attachment     *engine.Relay
	exit           <-chan engine.Exit
	events         <-chan engine.Event
	stdout, stderr *written
}

// written is what a container wrote so far.
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

// create makes a container of the application, and removes it after the test.
// It needs no network, and has the health check that is asked for or none.
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

// start creates a container, listens, and starts it, in the order that misses
// nothing.
func (s *suite) start(config container.Config) *made {
	s.Helper()
	m := &made{id: s.create(config), stdout: &written{}, stderr: &written{}}
	s.startMade(m, engine.Output{Stdout: m.stdout, Stderr: m.stderr, TTY: config.Tty})
	return m
}

func (s *suite) startMade(m *made, out engine.Output) {
	s.Helper()
	var err error
	m.attachment, err = s.engine.Attach(s.Context(), m.id, out)
	if err != nil {
		s.Fatalf("Attach() = %v", err)
	}
	s.Cleanup(m.attachment.Close)
	m.exit = s.engine.Wait(s.Context(), m.id)
	m.events = s.engine.Events(s.Context(), m.id, "health_status", "kill", "stop")
	if err := s.engine.Start(s.Context(), m.id); err != nil {
		s.Fatalf("Start() = %v", err)
	}
}

// run starts a container of these arguments.
func (s *suite) run(args ...string) *made {
	s.Helper()
	return s.start(container.Config{Cmd: args})
}

// ends waits for the end of a container and of its output.
func (s *suite) ends(m *made, want int) {
	s.Helper()
	select {
	case e := <-m.exit:
		if e.Err != nil || e.Code != want {
			s.Errorf("Wait() = %+v, want exit code %d", e, want)
		}
	case <-time.After(patience):
		s.Fatalf("Wait() told nothing within %s", patience)
	}
	select {
	case <-m.attachment.Done():
	case <-time.After(patience):
		s.Fatalf("Attach() did not end within %s", patience)
	}
}

// hears waits for these events, and fails at any other.
func (s *suite) hears(m *made, want ...engine.Event) {
	s.Helper()
	for _, w := range want {
		select {
		case got := <-m.events:
			if got != w {
				s.Fatalf("Events() told %+v, want %+v of %+v", got, w, want)
			}
		case <-time.After(patience):
			s.Fatalf("Events() did not tell %+v within %s", w, patience)
		}
	}
}

// until waits until a condition holds.
func (s *suite) until(what string, holds func() bool) {
	s.Helper()
	for deadline := time.Now().Add(patience); !holds(); {
		if time.Now().After(deadline) {
			s.Fatalf("%s: not within %s", what, patience)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (s *suite) createRefused() {
	name := fmt.Sprintf("enginetest-%d", time.Now().UnixNano())
	tests := []struct {
		image, runtime string
		want           error
	}{
		{s.host.App, "", nil},
		{s.host.App, "", engine.ErrConflict},
		{s.host.Absent, "", engine.ErrNotFound},
		{s.host.App, "no-such-runtime", engine.ErrRuntimeMissing},
	}
	for _, test := range tests {
		id, _, err := s.engine.Create(s.Context(), engine.CreateRequest{
			Name: name, Config: &container.Config{Image: test.image}, HostConfig: &container.HostConfig{Runtime: test.runtime},
		})
		if !errors.Is(err, test.want) || (err == nil) != (id != "") {
			s.Errorf("Create(%q of %q by %q) = %q, %v, want %v", name, test.image, test.runtime, id, err, test.want)
		}
		if err == nil {
			s.Cleanup(func() { _ = s.engine.Remove(context.WithoutCancel(s.Context()), id) })
		}
	}
}

// output is told line for line, each in its stream.
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
		s.Errorf("stderr is %q, want all in one stream", got)
	}
}

// endAtOnce is a container that has ended before anyone could look.
func (s *suite) endAtOnce() {
	m := s.run("-no-such-flag")
	s.ends(m, 2)
	if got := m.stderr.String(); !strings.Contains(got, "flag provided but not defined: -no-such-flag") {
		s.Errorf("stderr is %q, want all of it", got)
	}
	select {
	case e := <-s.engine.WaitEnded(s.Context(), m.id):
		if e.Err != nil || e.Code != 2 {
			s.Errorf("WaitEnded() = %+v, want exit code 2", e)
		}
	case <-time.After(patience):
		s.Errorf("WaitEnded() of a container that has ended told nothing within %s", patience)
	}
}

func (s *suite) exitCode() {
	m := s.run("-exit-after", "200ms", "-exit-code", "7")
	late := s.engine.WaitEnded(s.Context(), m.id)
	s.ends(m, 7)
	if e := <-late; e.Err != nil || e.Code != 7 {
		s.Errorf("WaitEnded() of a container that ran = %+v, want exit code 7", e)
	}
	found, err := s.engine.Inspect(s.Context(), m.id)
	if err != nil || found.Running || found.Status != container.StateExited || found.ExitCode != 7 || found.Pid != 0 {
		s.Errorf("Inspect() = %+v, %v, want exited with 7", found, err)
	}
}

// logging has a container say that it is up: until then a signal would end it
// whatever it does about signals.
func (s *suite) logging(m *made) {
	s.Helper()
	s.until("the first line", func() bool { return m.stdout.String() != "" })
}

func (s *suite) stop() {
	m := s.run("-log-rate", "100")
	s.logging(m)
	began := time.Now()
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	if took := time.Since(began); took > patience/2 {
		s.Errorf("Stop() took %s of a container that ends on SIGTERM", took)
	}
	s.ends(m, 0)
	s.hears(m, engine.Event{Action: "kill", Signal: 15}, engine.Event{Action: "stop"})
}

func (s *suite) stopSignal() {
	m := s.start(container.Config{StopSignal: "SIGINT", Cmd: []string{"-log-rate", "100", "-ignore-sigterm"}})
	s.logging(m)
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	s.ends(m, 0)
}

func (s *suite) stopKills() {
	m := s.run("-log-rate", "100", "-ignore-sigterm")
	s.logging(m)
	began := time.Now()
	if err := s.engine.Stop(s.Context(), m.id, time.Second); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	if took := time.Since(began); took < time.Second || took > 8*time.Second {
		s.Errorf("Stop() took %s, want the grace of 1s and not Docker's own of 10s", took)
	}
	s.ends(m, exitKilled)
	s.hears(m, engine.Event{Action: "kill", Signal: 15}, engine.Event{Action: "kill", Signal: 9}, engine.Event{Action: "stop"})
}

func (s *suite) stopOfNothing() {
	m := s.run("-no-such-flag")
	s.ends(m, 2)
	if err := s.engine.Stop(s.Context(), m.id, 0); err != nil {
		s.Errorf("Stop() of a container that has ended = %v", err)
	}
	if err := s.engine.Stop(s.Context(), "enginetest-none", 0); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Stop() of no container = %v, want ErrNotFound", err)
	}
}

func (s *suite) health() {
	m := s.start(container.Config{
		Cmd: []string{"-ready-after", "2s"},
		Healthcheck: &container.HealthConfig{
			Test: []string{"CMD", "/app", "-check", ":8080"}, Interval: 500 * time.Millisecond, Timeout: 5 * time.Second,
			StartPeriod: time.Millisecond, Retries: 1,
		},
	})
	if found, err := s.engine.Inspect(s.Context(), m.id); err != nil || found.Health != container.Starting {
		s.Errorf("Inspect() = %+v, %v, want health starting", found, err)
	}
	s.hears(m, engine.Event{Action: "health_status", Health: container.Unhealthy})
	if found, err := s.engine.Inspect(s.Context(), m.id); err != nil || found.Health != container.Unhealthy || !strings.Contains(found.HealthOutput, "not ready") {
		s.Errorf("Inspect() = %+v, %v, want unhealthy and why", found, err)
	}
	s.hears(m, engine.Event{Action: "health_status", Health: container.Healthy})
	if found, err := s.engine.Inspect(s.Context(), m.id); err != nil || found.Health != container.Healthy {
		s.Errorf("Inspect() = %+v, %v, want healthy", found, err)
	}
}

func (s *suite) inspect() {
	if found, err := s.engine.Inspect(s.Context(), "enginetest-none"); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Inspect() of no container = %+v, %v, want ErrNotFound", found, err)
	}
	image, err := s.engine.Image(s.Context(), s.host.App)
	if err != nil {
		s.Fatal(err)
	}
	began := time.Now()
	m := s.start(container.Config{Labels: map[string]string{"enginetest": "inspect"}})
	found, err := s.engine.Inspect(s.Context(), m.id)
	if err != nil {
		s.Fatalf("Inspect() = %v", err)
	}
	if found.ID != m.id || found.Image != s.host.App || found.ImageID != image.ID || found.Labels["enginetest"] != "inspect" {
		s.Errorf("Inspect() = %+v, want container %s of %s (%s)", found, m.id, s.host.App, image.ID)
	}
	if !found.Running || found.Status != container.StateRunning || found.Pid == 0 || found.OOMKilled || found.Error != "" || found.Health != "" {
		s.Errorf("Inspect() = %+v, want that it runs, without a check", found)
	}
	if d := found.StartedAt.Sub(began); d < -time.Second || d > patience {
		s.Errorf("Inspect() has it started at %s, want %s", found.StartedAt, began)
	}
	if same, err := s.engine.Inspect(s.Context(), found.Name); err != nil || same.ID != m.id {
		s.Errorf("Inspect(%q) = %+v, %v, want %s", found.Name, same, err, m.id)
	}
}

func (s *suite) remove() {
	m := s.run()
	if err := s.engine.Remove(s.Context(), m.id); err != nil {
		s.Errorf("Remove() of a container that runs = %v", err)
	}
	s.ends(m, exitKilled)
	if found, err := s.engine.Inspect(s.Context(), m.id); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Inspect() after Remove() = %+v, %v, want ErrNotFound", found, err)
	}
	if err := s.engine.Remove(s.Context(), m.id); err != nil {
		s.Errorf("Remove() of no container = %v", err)
	}
}

// removeTwice: whoever comes second returns no sooner than the container is
// gone.
func (s *suite) removeTwice() {
	for range 5 {
		m := s.run("-ignore-sigterm")
		first := make(chan error, 1)
		go func() { first <- s.engine.Remove(s.Context(), m.id) }()
		if err := s.engine.Remove(s.Context(), m.id); err != nil {
			s.Errorf("Remove() = %v", err)
		}
		if found, err := s.engine.Inspect(s.Context(), m.id); !errors.Is(err, engine.ErrNotFound) {
			s.Errorf("Inspect() after Remove() = %+v, %v, want ErrNotFound", found, err)
		}
		if err := <-first; err != nil {
			s.Errorf("Remove() beside another = %v", err)
		}
	}
}

// startRefused: the Engine says what is wrong with a command by an exit code.
func (s *suite) startRefused() {
	for command, want := range map[string]int{"/nonexistent": 127, "/etc": 126} {
		id := s.create(container.Config{Entrypoint: []string{command}})
		if err := s.engine.Start(s.Context(), id); err == nil {
			s.Errorf("Start() of %q = nil, want an error", command)
		}
		found, err := s.engine.Inspect(s.Context(), id)
		if err != nil || found.Running || found.ExitCode != want || found.Error == "" {
			s.Errorf("Inspect() after the start of %q = %+v, %v, want exit code %d", command, found, err, want)
		}
	}
}

// told is which events tell of an end, and in which order: the supervisor
// takes an end without a signal before it for none of Docker's doing.
func (s *suite) told() {
	id := s.create(container.Config{StopSignal: "SIGINT", Cmd: []string{"-ignore-sigterm"}})
	told, exit := s.engine.Events(s.Context(), id, "kill", "die"), s.engine.Wait(s.Context(), id)
	if err := s.engine.Start(s.Context(), id); err != nil {
		s.Fatal(err)
	}
	if found, err := s.engine.Inspect(s.Context(), id); err != nil || found.StopSignal != "SIGINT" {
		s.Errorf("Inspect() = %+v, %v, want its stop signal", found, err)
	}
	if err := s.engine.Stop(s.Context(), id, -time.Second); err != nil {
		s.Errorf("Stop() without a limit = %v", err)
	}
	<-exit
	s.hears(&made{events: told}, engine.Event{Action: "kill", Signal: 2}, engine.Event{Action: "die"})
}

func (s *suite) list() {
	mark := fmt.Sprint(time.Now().UnixNano())
	labels := map[string]string{"enginetest": mark}
	runs := s.start(container.Config{Labels: labels})
	rests := s.create(container.Config{Labels: labels})
	s.create(container.Config{Labels: map[string]string{"enginetest": mark + "-other"}})
	found, err := s.engine.ListByLabel(s.Context(), "enginetest", mark)
	if err != nil || len(found) != 2 {
		s.Fatalf("ListByLabel() = %+v, %v, want two containers", found, err)
	}
	for _, c := range found {
		want := map[string]string{runs.id: container.StateRunning, rests: container.StateCreated}[c.ID]
		if c.Status != want || c.Running != (c.ID == runs.id) || c.Labels["enginetest"] != mark || !strings.HasPrefix(c.Name, "enginetest-") {
			s.Errorf("ListByLabel() has %+v, want it %s", c, want)
		}
	}
}

// eventsEnd: what was asked for ends with ctx.
func (s *suite) eventsEnd() {
	id := s.create(container.Config{})
	ctx, cancel := context.WithCancel(s.Context())
	told, exit := s.engine.Events(ctx, id, "stop"), s.engine.Wait(ctx, id)
	cancel()
	select {
	case _, open := <-told:
		if open {
			s.Errorf("Events() told of something that did not happen")
		}
	case <-time.After(patience):
		s.Errorf("Events() did not end with ctx")
	}
	select {
	case e := <-exit:
		if !errors.Is(e.Err, context.Canceled) {
			s.Errorf("Wait() = %+v, want the end of ctx", e)
		}
	case <-time.After(patience):
		s.Errorf("Wait() did not end with ctx")
	}
}
