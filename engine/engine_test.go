package engine_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/internal/cure"
)

// The fake Engine behaves like a real one: test/e2e runs the same suite on real
// Engines.
func TestFakePassesSuite(t *testing.T) {
	enginetest.RunSuite(t, func(t *testing.T) enginetest.Host {
		t.Helper()
		server := enginetest.NewServer(t)
		host := enginetest.Host{
			Address: server.Address(), App: "localhost:5000/app:1",
			Private: "localhost:5000/app:2", Registry: "localhost:5000", Login: engine.Login{Username: "deploy", Password: "s3cret"},
			Absent: "localhost:5000/app:none", Broken: "localhost:5000/broken", Stalling: "localhost:5000/stalling",
		}
		server.AddImage(host.App, enginetest.App())
		private := enginetest.App()
		private.Login = host.Login
		server.Publish(host.Private, private)
		server.Publish(host.Broken, enginetest.Image{Broken: true})
		server.Publish(host.Stalling, enginetest.Image{Stalling: true})
		return host
	})
}

// A pull stalls if nothing arrives, but not because it is slow.
func TestPullStallsWithoutData(t *testing.T) {
	server := enginetest.NewServer(t)
	server.Publish("app", enginetest.Image{Stalling: true})
	client, err := engine.New(engine.Options{Host: server.Address()})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	const timeout = 300 * time.Millisecond
	var last engine.Progress
	began := time.Now()
	err = client.Pull(t.Context(), engine.PullRequest{Ref: "app", StallTimeout: timeout}, func(p engine.Progress) { last = p })
	if took := time.Since(began); !errors.Is(err, engine.ErrStalled) || took < timeout || took > 20*timeout {
		t.Errorf("Pull() = %v after %s, want ErrStalled after %s", err, took, timeout)
	}
	server.Publish("slow", enginetest.Image{Pace: timeout / 4})
	began = time.Now()
	err = client.Pull(t.Context(), engine.PullRequest{Ref: "slow", StallTimeout: timeout}, func(engine.Progress) {})
	if took := time.Since(began); err != nil || took < 2*timeout {
		t.Errorf("Pull() = %v after %s, want success after more than %s", err, took, 2*timeout)
	}
	if want := (engine.Progress{Layers: 2, LayersDone: 1, Bytes: 100, BytesDone: 10}); last != want {
		t.Errorf("the last progress of Pull() is %+v, want %+v", last, want)
	}
}

// An image that does not fit is told with its size, that of the disk, and where to look.
func TestPullTellsSizes(t *testing.T) {
	server := enginetest.NewServer(t)
	server.Publish("app", enginetest.Image{TooLarge: true})
	client, err := engine.New(engine.Options{Host: server.Address(), Logins: []engine.LoginFile{{Path: "/root/.docker/config.json"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	err = client.Pull(t.Context(), engine.PullRequest{Ref: "app", StallTimeout: time.Minute}, func(engine.Progress) {})
	if !errors.Is(err, engine.ErrNoSpace) {
		t.Fatalf("Pull() = %v, want ErrNoSpace", err)
	}
	for _, part := range []string{"the download has 100B", "about 300B while it is unpacked", " left of ", "dockhostctl gc --dry-run"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("Pull() = %v, want %q", err, part)
		}
	}
	for _, want := range []cure.Cure{{Kind: cure.Disk}, {Kind: cure.Network}, {Kind: cure.File, Name: "/root/.docker/config.json"}, {Kind: cure.Docker, Name: "image"}} {
		if got := cure.Of(err); !slices.Contains(got, want) {
			t.Errorf("Pull() is cured by %v, want %v, too", got, want)
		}
	}
}

func TestParsePort(t *testing.T) {
	for _, port := range []engine.Port{{Proto: "tcp", Number: 443}, {IP: "127.0.0.1", Proto: "udp", Number: 53}, {IP: "::1", Proto: "tcp", Number: 80}} {
		if got, err := engine.ParsePort(port.String()); err != nil || got != port {
			t.Errorf("ParsePort(%q) = %+v, %v, want %+v", port.String(), got, err, port)
		}
	}
	for _, wrong := range []string{"", "443", "x/tcp", "0/tcp", "70000/tcp"} {
		if got, err := engine.ParsePort(wrong); err == nil {
			t.Errorf("ParsePort(%q) = %+v, want an error", wrong, got)
		}
	}
}

// CloseIdle closes idle connections, and the next call connects again.
func TestCloseIdleReconnects(t *testing.T) {
	const calls = 2
	closed := make(chan struct{}, calls)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	client, err := engine.New(engine.Options{Host: "tcp://" + server.Listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	for range calls {
		if err := client.Ping(t.Context()); err != nil {
			t.Fatal(err)
		}
		client.CloseIdle()
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("the connection is still open after CloseIdle()")
		}
	}
}
