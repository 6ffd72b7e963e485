package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

const (
	// maxWatchers is how many clients may watch the status at the same time. Each has
	// connections to Docker and to the bus.
	maxWatchers = 16
	// watchPause is the least time between two lines. Changes in between are told by one.
	watchPause = 250 * time.Millisecond
)

// errWatchers refuses a client.
var errWatchers = errors.New("too many clients watch the status (end some: dockhostctl status --watch, dockhostctl wait)")

// getWatch sends a line at once, and one whenever the status may have changed, until the
// client leaves or the agent ends.
func (s *server) getWatch(w http.ResponseWriter, r *http.Request) {
	select {
	case s.watchers <- struct{}{}:
		defer func() { <-s.watchers }()
	default:
		s.refuse(w, http.StatusTooManyRequests, errWatchers)
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	connection := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	err := s.watch(r.Context(), func() error {
		return errors.Join(connection.SetWriteDeadline(time.Now().Add(sendTimeout)), encoder.Encode(api.Changed{At: time.Now()}), connection.Flush())
	})
	if err != nil {
		s.refuse(w, http.StatusServiceUnavailable, err)
	}
}

// watch calls send at once, and whenever the status may have changed, until send fails or
// ctx ends. It returns an error only if it has called nothing.
func (s *server) watch(ctx context.Context, send func() error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	units, err := s.systemd.Watch(ctx, spec.UnitName("*"))
	if err != nil {
		return err
	}
	containers := s.status.Engine.Activity(ctx)
	for {
		changed := s.store.nextChange()
		if send() != nil {
			return nil
		}
		rest := time.NewTimer(watchPause)
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case _, open := <-containers:
			if !open {
				// Docker has gone away: this is a change, and the units tell of its return.
				containers = nil
			}
		case _, open := <-units:
			if !open {
				return nil // the connection to systemd was lost; the client asks again
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-rest.C:
		}
		if containers == nil {
			containers = s.reconnected(ctx)
		}
	}
}

// reconnected returns Docker's activity again once Docker answers, and nil while it does
// not.
func (s *server) reconnected(ctx context.Context) <-chan struct{} {
	if !s.status.Docker(ctx).Reachable {
		return nil
	}
	return s.status.Engine.Activity(ctx)
}
