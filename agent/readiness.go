package agent

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// readinessTimeout bounds the answers of systemd: a load balancer does not wait long.
const readinessTimeout = 2 * time.Second

// readiness tells load balancers whether all that is assigned is ready. It asks systemd
// and reads what the supervisors have written, and never asks Docker: a Docker that hangs
// does not make containers unready.
type readiness struct {
	store   *store
	waiting func() string
	systemd unitManager
	dir     rundir.Dir
	last    recent[[]string]
}

// ServeHTTP answers 200 while all is ready, and otherwise 503 with a line for each
// container that is not.
func (r *readiness) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if request.Method != http.MethodGet && request.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	missing := r.last.get(request.Context(), r.missing)
	if len(missing) == 0 {
		_, _ = io.WriteString(w, "ready\n")
		return
	}
	w.WriteHeader(http.StatusServiceUnavailable)
	_, _ = io.WriteString(w, strings.Join(missing, "\n")+"\n")
}

// missing returns a line for each assigned container that is not ready.
func (r *readiness) missing(ctx context.Context) []string {
	ctx, cancel := context.WithTimeout(ctx, readinessTimeout)
	defer cancel()
	stored := r.store.snapshot()
	switch {
	case !stored.known:
		return []string{"the agent is starting"}
	case stored.accepted == nil:
		if waiting := r.waiting(); waiting != "" {
			return []string{waiting}
		}
		return nil
	}
	var missing []string
	for _, name := range r.store.names() {
		unit, err := r.systemd.Unit(ctx, spec.UnitName(name))
		state, stateErr := r.dir.State(name)
		if stateErr != nil {
			state = rundir.State{}
		}
		if why := unready(unit, err == nil, state); why != "" {
			missing = append(missing, fmt.Sprintf("%s: %s", name, why))
		}
	}
	return missing
}

// unready says why a container is not ready; "" if it is. known says that systemd has
// answered; without an answer, what the supervisor wrote last holds.
func unready(unit systemd.Unit, known bool, state rundir.State) string {
	switch {
	case state.Finished():
		return ""
	case known && unit.ActiveState != "active":
		return unit.ActiveState
	case !state.Ready:
		return "not ready"
	case state.Health == "unhealthy":
		return "unhealthy"
	}
	return ""
}
