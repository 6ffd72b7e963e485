package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// getProgress sends each step of a container until it is ready, or has failed since
// the time in the request. The answer ends early when the agent ends.
func (s *server) getProgress(w http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	if err != nil {
		s.refuse(w, http.StatusBadRequest, errors.New("since is not a time"))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	connection := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	err = s.follow(r.Context(), r.PathValue("name"), since, func(p api.Progress) error {
		return errors.Join(connection.SetWriteDeadline(time.Now().Add(sendTimeout)), encoder.Encode(p), connection.Flush())
	})
	if err != nil {
		s.refuse(w, http.StatusInternalServerError, err)
	}
}

// follow sends each change of a container's progress, up to the last, or until ctx
// ends. It returns an error only if nothing was sent.
func (s *server) follow(ctx context.Context, name string, since time.Time, send func(api.Progress) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unit, err := s.systemd.Watch(ctx, spec.UnitName(name))
	if err != nil {
		return err
	}
	var sent *api.Progress
	for {
		changed := s.store.nextChange()
		p := s.progress(ctx, name, since)
		if ctx.Err() != nil {
			return nil
		}
		if sent == nil || *sent != p {
			if sent = &p; send(p) != nil || p.Last() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case _, open := <-unit:
			if !open {
				return nil // the connection to systemd was lost; the client asks again
			}
		}
	}
}

// progress returns the progress of a container that dockhostctl run declared.
func (s *server) progress(ctx context.Context, name string, since time.Time) api.Progress {
	stored := s.store.snapshot()
	c, pending := stored.accepted.local(name), stored.pending[name]
	switch {
	case !stored.known:
		return api.Progress{Doing: "the agent is starting"}
	case c == nil:
		return api.Progress{Error: fmt.Sprintf("container %q was removed", name)}
	case pending.Error != "":
		return api.Progress{Error: fmt.Sprintf("not replaced yet, and tried again until it can be: %s", pending.Error)}
	case pending.Doing != "":
		return api.Progress{Doing: pending.Doing}
	}
	return s.unitProgress(ctx, withHash(c), since)
}

// unitProgress returns the progress of a container that is in force.
func (s *server) unitProgress(ctx context.Context, c hashed, since time.Time) api.Progress {
	state, stateErr := s.dir.State(c.Name)
	unit, err := s.systemd.Unit(ctx, spec.UnitName(c.Name))
	if err != nil {
		return api.Progress{Error: err.Error()}
	}
	if stateErr != nil || state.ConfigHash != c.hash {
		state = rundir.State{} // of another declaration: the supervisor of this one has not begun
	}
	last := state.LastError
	switch {
	case state.Ready && unit.ActiveState == "active", state.Finished():
		return api.Progress{Ready: true}
	case last != nil && last.ConfigHash == c.hash && last.At.After(since):
		return api.Progress{Error: last.Message}
	case hasEnded(unit, since):
		return api.Progress{Error: fmt.Sprintf("%s is %s, with the result %q (see: systemctl status %s)", unit.Name, unit.ActiveState, unit.Result, unit.Name)}
	case state.Phase == "" || unit.StatusText == "":
		return api.Progress{Doing: "starting"}
	}
	return api.Progress{Doing: unit.StatusText}
}

// hasEnded reports whether a unit that was started has ended, even if systemd will
// start it again.
func hasEnded(unit systemd.Unit, since time.Time) bool {
	switch {
	case unit.Job:
		return false
	case strings.HasPrefix(unit.SubState, "auto-restart"):
		return unit.Since.After(since)
	}
	return unit.ActiveState == "failed" || unit.ActiveState == "inactive"
}
