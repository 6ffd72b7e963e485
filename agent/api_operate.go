package agent

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// byStopCommand is how the status names a stop that the agent was asked for.
const byStopCommand = "dockhostctl stop"

func (s *server) postStart(w http.ResponseWriter, r *http.Request) {
	s.operate(w, r, func(ctx context.Context, name string) (string, error) { return s.operator.start(ctx, name, false) })
}

func (s *server) postRestart(w http.ResponseWriter, r *http.Request) {
	s.operate(w, r, func(ctx context.Context, name string) (string, error) { return s.operator.start(ctx, name, true) })
}

// postStop answers when the container has stopped.
func (s *server) postStop(w http.ResponseWriter, r *http.Request) {
	s.operate(w, r, func(ctx context.Context, name string) (string, error) {
		return s.operator.stop(ctx, name, api.Stopped{At: time.Now(), By: byStopCommand, User: userOf(ctx)})
	})
}

// postReload answers when the container has reloaded.
func (s *server) postReload(w http.ResponseWriter, r *http.Request) {
	s.operate(w, r, func(ctx context.Context, name string) (string, error) { return "", s.operator.reload(ctx, name) })
}

// operate does something with a container that is in force.
func (s *server) operate(w http.ResponseWriter, r *http.Request, do func(ctx context.Context, name string) (note string, err error)) {
	name := r.PathValue("name")
	if _, ok := s.updateRequest(w, r, nil); !ok {
		return
	}
	answer := api.Operated{Unit: spec.UnitName(name), At: time.Now()}
	var err error
	answer.Note, err = do(r.Context(), name)
	switch {
	case err == nil:
		s.send(w, http.StatusOK, answer)
	case errors.Is(err, systemd.ErrNoUnit):
		s.refuse(w, http.StatusNotFound, err)
	case errors.Is(err, errNoReload):
		s.refuse(w, http.StatusConflict, err)
	default:
		s.refuseChange(w, err)
	}
}
