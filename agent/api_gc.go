package agent

import (
	"context"
	"errors"
	"net/http"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/housekeeping"
)

// errNotRead refuses to remove anything before it is known what is assigned.
var errNotRead = errors.New("the agent does not know yet what is assigned to this host (see: dockhostctl status)")

// getGC answers with what a run of housekeeping would do.
func (s *server) getGC(w http.ResponseWriter, r *http.Request) {
	s.answerGC(w, r, (*housekeeping.Keeper).Plan)
}

// postGC makes a run of housekeeping.
func (s *server) postGC(w http.ResponseWriter, r *http.Request) {
	s.answerGC(w, r, func(k *housekeeping.Keeper, ctx context.Context) (api.GC, error) { return k.Collect(ctx, "requested") })
}

func (s *server) answerGC(w http.ResponseWriter, r *http.Request, run func(*housekeeping.Keeper, context.Context) (api.GC, error)) {
	if s.house.keeper == nil || !s.house.knowsAssignment() {
		s.refuse(w, http.StatusServiceUnavailable, errNotRead)
		return
	}
	answer, err := run(s.house.keeper, r.Context())
	switch {
	case err == nil:
		s.send(w, http.StatusOK, answer)
	case errors.Is(err, context.Canceled):
		s.refuse(w, http.StatusServiceUnavailable, errors.New("the agent is being stopped"))
	default:
		s.refuse(w, http.StatusInternalServerError, err)
	}
}
