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

// getProgress tells how a container fares until it is ready or has failed
// since the time that is asked for. The answer ends early when the agent does.
func (a *Agent) getProgress(w http.ResponseWriter, r *http.Request) {
	since, err := time.Parse(time.RFC3339Nano, r.URL.Query().Get("since"))
	if err != nil {
		a.refuse(w, http.StatusBadRequest, errors.New("since is no time"))
		return
	}
	w.Header().Set("Content-Type", "application/x-ndjson")
	connection := http.NewResponseController(w)
	encoder := json.NewEncoder(w)
	err = a.follow(r.Context(), r.PathValue("name"), since, func(p api.Progress) error {
		return errors.Join(connection.SetWriteDeadline(time.Now().Add(sendTimeout)), encoder.Encode(p), connection.Flush())
	})
	if err != nil {
		a.refuse(w, http.StatusInternalServerError, err)
	}
}

// follow tells each change of a container's progress, up to the last, or until
// ctx ends. The error is nil once anything was told.
func (a *Agent) follow(ctx context.Context, name string, since time.Time, tell func(api.Progress) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unit, err := a.Units.Watch(ctx, spec.UnitName(name))
	if err != nil {
		return err
	}
	var told *api.Progress
	for {
		moved := a.nextMove()
		p := a.progress(ctx, name, since)
		if ctx.Err() != nil {
			return nil
		}
		if told == nil || *told != p {
			if told = &p; tell(p) != nil || p.Last() {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-moved:
		case _, open := <-unit:
			if !open {
				return nil // the bus went away; the client asks again
			}
		}
	}
}

// nextMove is closed when what is pending or kept changes.
func (a *Agent) nextMove() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.moved
}

// progress says how far a container is that was declared.
func (a *Agent) progress(ctx context.Context, name string, since time.Time) api.Progress {
	a.mu.Lock()
	read, c := a.read, a.kept.local(name)
	var pending api.Pending
	if p := a.pending[name]; p != nil {
		pending = *p
	}
	a.mu.Unlock()
	switch {
	case !read:
		return api.Progress{Doing: "the agent is starting"}
	case c == nil:
		return api.Progress{Error: fmt.Sprintf("container %q was removed", name)}
	case pending.Error != "":
		return api.Progress{Error: fmt.Sprintf("not replaced yet, and tried again until it can be: %s", pending.Error)}
	case pending.Doing != "":
		return api.Progress{Doing: pending.Doing}
	}
	state, stateErr := a.Dir.State(name)
	unit, err := a.Units.Unit(ctx, spec.UnitName(name))
	if err != nil {
		return api.Progress{Error: err.Error()}
	}
	if stateErr != nil || state.ConfigHash != c.Hash() {
		state = rundir.State{} // another declaration's: this one's supervisor has not begun
	}
	last := state.LastError
	switch {
	case state.Ready && unit.ActiveState == "active", state.Finished():
		return api.Progress{Ready: true}
	case last != nil && last.ConfigHash == c.Hash() && last.At.After(since):
		return api.Progress{Error: last.Message}
	case hasEnded(unit, since):
		return api.Progress{Error: fmt.Sprintf("%s is %s, with the result %q (see: systemctl status %s)", unit.Name, unit.ActiveState, unit.Result, unit.Name)}
	case state.Phase == "" || unit.StatusText == "":
		return api.Progress{Doing: "starting"}
	}
	return api.Progress{Doing: unit.StatusText}
}

// hasEnded says that a unit, which was to be started, has ended, also when
// systemd will start it again.
func hasEnded(unit systemd.Unit, since time.Time) bool {
	switch {
	case unit.Job:
		return false
	case strings.HasPrefix(unit.SubState, "auto-restart"):
		return unit.Since.After(since)
	}
	return unit.ActiveState == "failed" || unit.ActiveState == "inactive"
}
