package engine_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
)

// A client works on while Docker is replaced by another version, whatever it calls first.
func TestDockerIsReplaced(t *testing.T) {
	type call struct {
		name string
		do   func(*engine.Client) error
	}
	create := func(name string) func(*engine.Client) error {
		return func(c *engine.Client) error {
			_, _, err := c.Create(t.Context(), engine.CreateRequest{Name: name, Config: &container.Config{Image: "app:1"}, HostConfig: &container.HostConfig{}})
			return err
		}
	}
	upgrades := []struct{ name, oldest, newest, thenOldest, thenNewest string }{
		{"20.10 to 29.0", "1.12", "1.41", "1.44", "1.52"},
		{"29 to 26", "1.44", "1.52", "1.24", "1.45"},
		{"26 to 20.10", "1.24", "1.45", "1.12", "1.41"},
	}
	for _, upgrade := range upgrades {
		for i, call := range []call{
			{"info", func(c *engine.Client) error { _, err := c.Info(t.Context()); return err }},
			{"create", create("web")},
			{"image with a slash", func(c *engine.Client) error {
				_, err := c.ImageOf(t.Context(), "localhost:5000/app:1", "localhost:5000/app:1")
				return err
			}},
			{"not found", func(c *engine.Client) error {
				if _, err := c.Inspect(t.Context(), "none"); !errors.Is(err, engine.ErrNotFound) {
					return fmt.Errorf("Inspect() = %w, want ErrNotFound", err)
				}
				return nil
			}},
			{"ping", func(c *engine.Client) error { return c.Ping(t.Context()) }},
		} {
			t.Run(upgrade.name+"/"+call.name, func(t *testing.T) {
				server := enginetest.NewServer(t)
				for _, name := range []string{"app:1", "localhost:5000/app:1"} {
					server.AddImage(name, enginetest.App())
				}
				server.Speak(upgrade.oldest, upgrade.newest)
				client, err := engine.New(engine.Options{Host: server.Address()})
				if err != nil {
					t.Fatal(err)
				}
				defer client.Close()
				if _, err := client.Info(t.Context()); err != nil {
					t.Fatal(err)
				}
				if i%2 == 0 {
					server.Down()
				}
				server.Speak(upgrade.thenOldest, upgrade.thenNewest)
				if i%2 == 0 {
					server.Up()
				}
				if err := call.do(client); err != nil {
					t.Errorf("the first call after Docker was replaced: %v", err)
				}
				if err := create("api")(client); err != nil {
					t.Errorf("the second call: %v", err)
				}
			})
		}
	}
}

// A version that is given stays.
func TestGivenVersionStays(t *testing.T) {
	server := enginetest.NewServer(t)
	client, err := engine.New(engine.Options{Host: server.Address(), Access: engine.Access{APIVersion: "1.41"}})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Info(t.Context()); err != nil {
		t.Fatal(err)
	}
	server.Speak("1.44", "1.52")
	if _, err := client.Info(t.Context()); !errors.Is(err, engine.ErrInvalid) {
		t.Errorf("Info() = %v, want ErrInvalid", err)
	}
}
