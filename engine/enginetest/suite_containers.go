package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

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

// endAtOnce starts a container that ends before any client can look at it.
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
		s.Errorf("WaitEnded() of a container that has ended reported nothing within %s", patience)
	}
}

func (s *suite) exitCode() {
	m := s.run("-exit-after", "200ms", "-exit-code", "7")
	late := s.engine.WaitEnded(s.Context(), m.id)
	s.ends(m, 7)
	if e := <-late; e.Err != nil || e.Code != 7 {
		s.Errorf("WaitEnded() of a running container = %+v, want exit code 7", e)
	}
	found, err := s.engine.Inspect(s.Context(), m.id)
	if err != nil || found.Running || found.Status != container.StateExited || found.ExitCode != 7 || found.Pid != 0 {
		s.Errorf("Inspect() = %+v, %v, want exited with 7", found, err)
	}
}

func (s *suite) stop() {
	m := s.run("-log-rate", "100")
	s.logging(m)
	began := time.Now()
	if err := s.engine.Stop(s.Context(), m.id, patience); err != nil {
		s.Errorf("Stop() = %v", err)
	}
	if took := time.Since(began); took > patience/2 {
		s.Errorf("Stop() took %s for a container that ends on SIGTERM", took)
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
		s.Errorf("Stop() took %s, want the grace period of 1s, not Docker's default of 10s", took)
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
		s.Errorf("Stop() of an unknown container = %v, want ErrNotFound", err)
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
		s.Errorf("Inspect() = %+v, %v, want unhealthy with a reason", found, err)
	}
	s.hears(m, engine.Event{Action: "health_status", Health: container.Healthy})
	if found, err := s.engine.Inspect(s.Context(), m.id); err != nil || found.Health != container.Healthy {
		s.Errorf("Inspect() = %+v, %v, want healthy", found, err)
	}
}

func (s *suite) inspect() {
	if found, err := s.engine.Inspect(s.Context(), "enginetest-none"); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Inspect() of an unknown container = %+v, %v, want ErrNotFound", found, err)
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
		s.Errorf("Inspect() = %+v, want it running, without a health check", found)
	}
	if d := found.StartedAt.Sub(began); d < -time.Second || d > patience {
		s.Errorf("Inspect() says that it started at %s, want %s", found.StartedAt, began)
	}
	if same, err := s.engine.Inspect(s.Context(), found.Name); err != nil || same.ID != m.id {
		s.Errorf("Inspect(%q) = %+v, %v, want %s", found.Name, same, err, m.id)
	}
}

func (s *suite) remove() {
	m := s.run()
	if err := s.engine.Remove(s.Context(), m.id); err != nil {
		s.Errorf("Remove() of a running container = %v", err)
	}
	s.ends(m, exitKilled)
	if found, err := s.engine.Inspect(s.Context(), m.id); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Inspect() after Remove() = %+v, %v, want ErrNotFound", found, err)
	}
	if err := s.engine.Remove(s.Context(), m.id); err != nil {
		s.Errorf("Remove() of an unknown container = %v", err)
	}
}

// removeTwice checks that the second of two Removes also waits until the container is
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
			s.Errorf("Remove() during another = %v", err)
		}
	}
}

// startRefused checks the exit code that the Engine sets for a command that it cannot
// run.
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
