package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
)

// newRemembering returns a fake Docker, and a client that remembers what it has said.
func newRemembering(t *testing.T) (*enginetest.Server, *engine.Client) {
	t.Helper()
	server := enginetest.NewServer(t)
	client, err := engine.New(engine.Options{Host: server.Address()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	client.RememberInfo()
	return server, client
}

// A client that remembers what Docker has said asks again after a reload and a restart of
// Docker, and only then.
func TestInfoIsRemembered(t *testing.T) {
	server, client := newRemembering(t)
	has := func(name string) bool {
		t.Helper()
		info, err := client.Info(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, registered := info.Runtimes[name]
		return registered
	}
	becomes := func(name string, want bool) {
		t.Helper()
		for deadline := time.Now().Add(10 * time.Second); has(name) != want; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("runtime %q is registered: %t, want %t", name, !want, want)
			}
		}
	}
	has("new")
	server.Hang("/info")
	if has("new") {
		t.Error("an unknown runtime is registered")
	}
	if server.Hangs() {
		t.Error("Info has asked Docker again")
	}
	server.Continue()

	server.AddRuntime("new", "/usr/bin/new")
	becomes("new", true)

	server.Down()
	if _, err := client.Info(t.Context()); !errors.Is(err, engine.ErrUnreachable) {
		t.Errorf("Info() = %v while Docker is down, want ErrUnreachable", err)
	}
	server.RemoveRuntime("new")
	server.Up()
	becomes("new", false)

	server.Hang()
	defer server.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := client.Info(ctx); err == nil {
		t.Error("Info() succeeds while Docker hangs")
	}
}

// A Docker that hangs at the first question holds Info no longer than its context.
func TestInfoEndsWithItsContext(t *testing.T) {
	server, client := newRemembering(t)
	server.Hang()
	defer server.Continue()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := client.Info(ctx); err == nil {
		t.Error("Info() succeeds while Docker hangs")
	}
}
