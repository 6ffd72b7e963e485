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
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// settleTime is how long a container must stay ready. Most programs that cannot run end
// within it, after systemd was told that they are ready.
const settleTime = time.Second

// awaited is a container that a client waits for.
type awaited struct {
	name string
	// since is when the agent accepted the request: what failed before does not count.
	since time.Time
	// after is the request: "start" or "restart", or "" for what dockhostctl run declared.
	after string
}

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
	container := awaited{name: r.PathValue("name"), since: since, after: r.URL.Query().Get("after")}
	err = s.follow(r.Context(), container, func(p api.Progress) error {
		return errors.Join(connection.SetWriteDeadline(time.Now().Add(sendTimeout)), encoder.Encode(visible(w, p)), connection.Flush())
	})
	if err != nil {
		s.refuse(w, http.StatusInternalServerError, err)
	}
}

// follow sends each change of a container's progress, up to the last, or until ctx
// ends. It returns an error only if nothing was sent.
func (s *server) follow(ctx context.Context, container awaited, send func(api.Progress) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	unit, err := s.systemd.Watch(ctx, spec.UnitName(container.name))
	if err != nil {
		return err
	}
	var sent *api.Progress
	for {
		changed := s.store.nextChange()
		p, settles := s.progress(ctx, container)
		if ctx.Err() != nil {
			return nil
		}
		if sent == nil || *sent != p {
			if sent = &p; send(p) != nil || p.Last() {
				return nil
			}
		}
		var settled <-chan time.Time
		if settles > 0 {
			settled = time.After(settles)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-settled:
		case _, open := <-unit:
			if !open {
				return nil // the connection to systemd was lost; the client asks again
			}
		}
	}
}

// progress returns the progress of a container. settles is how long a container that is
// ready is still watched, 0 for all others.
func (s *server) progress(ctx context.Context, container awaited) (p api.Progress, settles time.Duration) {
	name := container.name
	stored := s.store.snapshot()
	c, pending := stored.accepted.local(name), stored.pending[name]
	if container.after != "" {
		c, pending = stored.accepted.container(name), api.Pending{}
	}
	switch {
	case !stored.known:
		return api.Progress{Doing: "the agent is starting"}, 0
	case c == nil:
		return api.Progress{Error: fmt.Sprintf("container %q was removed", name)}, 0
	case stored.accepted.isStopped(name):
		return api.Progress{Error: "someone has stopped it (to start it: dockhostctl start " + name + ")"}, 0
	case pending.Doing == update.DoingQuarantined:
		return api.Progress{Error: "rolled back: " + pending.Error}, 0
	case pending.Error != "":
		return api.Progress{Error: fmt.Sprintf("not replaced yet, and tried again until it can be: %s", pending.Error)}, 0
	case pending.Doing != "":
		return api.Progress{Doing: pending.Doing}, 0
	}
	if inForce := stored.accepted.container(name); inForce != nil && inForce.Unpinned().Hash() == c.Hash() {
		c = inForce // which may be pinned to an image
	}
	return s.unitProgress(ctx, withHash(c), container)
}

// unitProgress returns the progress of a container that is in force.
func (s *server) unitProgress(ctx context.Context, c hashed, container awaited) (p api.Progress, settles time.Duration) {
	unit, err := s.systemd.Unit(ctx, spec.UnitName(c.Name))
	if err != nil {
		return api.Progress{Error: err.Error()}, 0
	}
	// The supervisor writes its last error before it ends, so the state of a unit that
	// has ended must be read after the unit.
	state, stateErr := s.dir.State(c.Name)
	if stateErr != nil || state.ConfigHash != c.hash {
		state = rundir.State{} // of another declaration: the supervisor of this one has not begun
	}
	since := container.since
	if container.after == "restart" && state.Since.Before(since) {
		state = rundir.State{} // of the supervisor before
	}
	last := state.LastError
	switch {
	case state.Finished():
		return api.Progress{Ready: true}, 0
	case state.Ready && unit.ActiveState == "active":
		if rest := settleTime - time.Since(state.Since); rest > 0 {
			return api.Progress{Doing: "ready; waiting whether it stays so"}, rest
		}
		if s.hasExited(ctx, state.ContainerID) {
			return api.Progress{Doing: "ended; waiting for what its supervisor says"}, settleTime
		}
		return api.Progress{Ready: true}, 0
	case last != nil && last.ConfigHash == c.hash && last.At.After(since):
		return api.Progress{Error: last.Message + triedAgain(c, unit)}, 0
	case hasEnded(unit, since) && last != nil && last.At.After(since):
		return api.Progress{Error: last.Message + triedAgain(c, unit)}, 0
	case hasEnded(unit, since):
		return api.Progress{Error: endedText(unit) + triedAgain(c, unit)}, 0
	case state.Phase == "" || unit.StatusText == "":
		return api.Progress{Doing: "starting"}, 0
	}
	return api.Progress{Doing: unit.StatusText}, 0
}

// hasExited reports whether Docker knows that a container has ended. On a busy host its
// supervisor says so only a moment later.
func (s *server) hasExited(ctx context.Context, id string) bool {
	if id == "" || s.status.Engine == nil {
		return false
	}
	c, err := s.status.Engine.Inspect(ctx, id)
	return errors.Is(err, engine.ErrNotFound) || err == nil && (c.Status == "exited" || c.Status == "dead")
}

// triedAgain says, after an error, what is still being tried.
func triedAgain(c hashed, unit systemd.Unit) string {
	if c.Restart == "no" {
		return ""
	}
	return fmt.Sprintf("; %s tries again (see: journalctl -u %s)", unit.Name, strings.TrimSuffix(unit.Name, ".service"))
}

// endedText says how a unit ended whose supervisor reported no error.
func endedText(unit systemd.Unit) string {
	if unit.Result == "success" && strings.HasPrefix(unit.SubState, "auto-restart") {
		return "the container ended without an error, and its restart policy is always (for a job, use --restart no)"
	}
	return fmt.Sprintf("%s is %s, with the result %q (see: systemctl status %s)", unit.Name, unit.ActiveState, unit.Result, unit.Name)
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
