package agent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/engine"
)

// watchedUnits and watchedEngine report what a test sends.
type watchedUnits struct {
	unitManager
	changes chan struct{}
}

func (u watchedUnits) Watch(context.Context, string) (<-chan struct{}, error) { return u.changes, nil }

type watchedEngine struct{ activity chan struct{} }

func (e watchedEngine) Info(context.Context) (engine.Info, error) {
	return engine.Info{}, errors.New("away")
}

func (e watchedEngine) Inspect(context.Context, string) (engine.Container, error) {
	return engine.Container{}, errors.New("away")
}

func (e watchedEngine) Activity(context.Context) <-chan struct{} { return e.activity }

// A watcher is told at once, and then of each change; changes that come together are told
// by one line.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		units, docker := watchedUnits{changes: make(chan struct{}, 1)}, watchedEngine{make(chan struct{}, 1)}
		s := &server{systemd: units, status: status.Gatherer{Engine: docker}, store: newStore(storeFile{})}
		lines := make(chan time.Time, 100)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { ended <- s.watch(ctx, func() error { lines <- time.Now(); return nil }) }()
		expect := func(what string, want int) {
			t.Helper()
			time.Sleep(10 * watchPause)
			synctest.Wait()
			if len(lines) != want {
				t.Errorf("%s: %d lines, want %d", what, len(lines), want)
			}
			for len(lines) > 0 {
				<-lines
			}
		}
		expect("at the beginning", 1)
		expect("while nothing changes", 0)
		units.changes <- struct{}{}
		expect("a unit", 1)
		docker.activity <- struct{}{}
		expect("a container", 1)
		s.store.showChange()
		expect("an update", 1)
		for range 5 {
			s.store.showChange()
			synctest.Wait()
		}
		expect("many at once", 2)
		close(docker.activity)
		expect("Docker goes away", 1)
		units.changes <- struct{}{}
		expect("a unit, while Docker is away", 1)
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("watch() = %v, want nil", err)
		}
	})
}

// The connection to systemd is lost: the client asks again.
func TestWatchEndsWithSystemd(t *testing.T) {
	units := watchedUnits{changes: make(chan struct{})}
	close(units.changes)
	s := &server{systemd: units, status: status.Gatherer{Engine: watchedEngine{}}, store: newStore(storeFile{})}
	if err := s.watch(t.Context(), func() error { return nil }); err != nil {
		t.Errorf("watch() = %v, want nil", err)
	}
}
