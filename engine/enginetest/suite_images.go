package enginetest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
)

func (s *suite) images() {
	image, err := s.engine.Image(s.Context(), s.host.App)
	if err != nil || !strings.HasPrefix(image.ID, "sha256:") || !strings.HasPrefix(image.Digest, "sha256:") || !image.Healthcheck {
		s.Errorf("Image(%q) = %+v, %v, want an id, a digest and a healthcheck", s.host.App, image, err)
	}
	if image, err = s.engine.Image(s.Context(), s.host.Absent); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Image(%q) = %+v, %v, want ErrNotFound", s.host.Absent, image, err)
	}
}

// request is a pull with a stall timeout of a second.
func request(ref string) engine.PullRequest {
	return engine.PullRequest{Ref: ref, StallTimeout: time.Second}
}

func (s *suite) pull() {
	if _, err := s.engine.Image(s.Context(), s.host.Private); !errors.Is(err, engine.ErrNotFound) {
		s.Fatalf("Image(%q) before the pull = %v, want ErrNotFound", s.host.Private, err)
	}
	var progress []engine.Progress
	req := engine.PullRequest{Ref: s.host.Private, StallTimeout: patience}
	if err := s.engine.Pull(s.Context(), req, func(p engine.Progress) { progress = append(progress, p) }); err != nil {
		s.Fatalf("Pull(%q) = %v", s.host.Private, err)
	}
	if n := len(progress); n == 0 || progress[n-1].Layers == 0 || progress[n-1].LayersDone != progress[n-1].Layers || progress[n-1].BytesDone != progress[n-1].Bytes {
		s.Errorf("Pull(%q) reported %+v, want all layers at the end", s.host.Private, progress)
	}
	if !slices.IsSortedFunc(progress, func(a, b engine.Progress) int { return a.LayersDone - b.LayersDone }) {
		s.Errorf("Pull(%q) reported %+v, want a growing number of layers", s.host.Private, progress)
	}
	info, err := s.engine.Info(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	// containerd's image store identifies an image by its digest.
	if image, err := s.engine.Image(s.Context(), s.host.Private); err != nil || !strings.HasPrefix(image.Digest, "sha256:") || (image.Digest == image.ID) != info.Snapshotter {
		s.Errorf("Image(%q) after the pull = %+v, %v, want the registry's digest", s.host.Private, image, err)
	}
}

// pullFails pulls and returns the error. The test fails without one.
func (s *suite) pullFails(ctx context.Context, ref string) error {
	s.Helper()
	err := s.engine.Pull(ctx, request(ref), func(engine.Progress) {})
	if err == nil {
		s.Fatalf("Pull(%q) = nil, want an error", ref)
	}
	return err
}

func (s *suite) pullWithoutLogin() {
	tests := []struct {
		login engine.Login
		want  string
	}{
		{engine.Login{}, "without a login for " + s.host.Registry},
		{engine.Login{Username: s.host.Login.Username, Password: "wr0ng-canary"}, `as "` + s.host.Login.Username + `" at ` + s.host.Registry},
	}
	for _, test := range tests {
		err := s.with(test.login).pullFails(s.Context(), s.host.Private)
		if !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "canary") {
			s.Errorf("Pull() = %v, want %q and no password", err, test.want)
		}
	}
}

func (s *suite) pullAbsent() {
	if err := s.pullFails(s.Context(), s.host.Absent); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Pull(%q) = %v, want ErrNotFound", s.host.Absent, err)
	}
}

// pullBroken checks an error after the Engine has answered with a success.
func (s *suite) pullBroken() {
	err := s.pullFails(s.Context(), s.host.Broken)
	if errors.Is(err, engine.ErrStalled) || errors.Is(err, engine.ErrUnreachable) {
		s.Errorf("Pull(%q) = %v, want the error of the stream", s.host.Broken, err)
	}
	if _, err := s.engine.Image(s.Context(), s.host.Broken); !errors.Is(err, engine.ErrNotFound) {
		s.Errorf("Image(%q) = %v, want ErrNotFound", s.host.Broken, err)
	}
}

func (s *suite) pullStalled() {
	if err := s.pullFails(s.Context(), s.host.Stalling); !errors.Is(err, engine.ErrStalled) {
		s.Errorf("Pull(%q) = %v, want ErrStalled", s.host.Stalling, err)
	}
}

func (s *suite) pullCancelled() {
	ctx, cancel := context.WithTimeout(s.Context(), 100*time.Millisecond)
	defer cancel()
	if err := s.pullFails(ctx, s.host.Stalling); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, engine.ErrStalled) {
		s.Errorf("Pull(%q) = %v, want the reason why ctx ended", s.host.Stalling, err)
	}
}

func (s *suite) info() {
	if err := s.engine.Ping(s.Context()); err != nil {
		s.Errorf("Ping() = %v", err)
	}
	info, err := s.engine.Info(s.Context())
	if _, found := info.Runtimes["runc"]; err != nil || info.Version == "" || info.Root == "" || !found {
		s.Errorf("Info() = %+v, %v, want a version, a root and runc", info, err)
	}
}

// unreachable calls the client without an Engine.
func (s *suite) unreachable() {
	client, err := engine.New(engine.Options{Host: "unix://" + s.TempDir() + "/docker.sock"})
	if err != nil {
		s.Fatal(err)
	}
	defer client.Close()
	calls := map[string]func(ctx context.Context) error{
		"Ping":  client.Ping,
		"Image": func(ctx context.Context) error { _, err := client.Image(ctx, "x"); return err },
		"Pull": func(ctx context.Context) error {
			return client.Pull(ctx, request("x"), func(engine.Progress) {})
		},
		"Create": func(ctx context.Context) error {
			_, _, err := client.Create(ctx, engine.CreateRequest{Config: &container.Config{}, HostConfig: &container.HostConfig{Runtime: "x"}})
			return err
		},
		"Start":   func(ctx context.Context) error { return client.Start(ctx, "x") },
		"Stop":    func(ctx context.Context) error { return client.Stop(ctx, "x", 0) },
		"Remove":  func(ctx context.Context) error { return client.Remove(ctx, "x") },
		"Inspect": func(ctx context.Context) error { _, err := client.Inspect(ctx, "x"); return err },
		"List":    func(ctx context.Context) error { _, err := client.ListByLabel(ctx, "x", "y"); return err },
		"Attach": func(ctx context.Context) error {
			_, err := client.Attach(ctx, "x", nil, engine.Output{Stdout: io.Discard})
			return err
		},
		"Wait": func(ctx context.Context) error { return (<-client.Wait(ctx, "x")).Err },
	}
	for name, call := range calls {
		if err := call(s.Context()); !errors.Is(err, engine.ErrUnreachable) {
			s.Errorf("%s() = %v, want ErrUnreachable", name, err)
		}
	}
	if _, open := <-client.Events(s.Context(), "x", "stop"); open {
		s.Errorf("Events() sent an event")
	}
}
