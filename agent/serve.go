package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/spec"
)

// shutdownTimeout bounds the answers that are still under way when the agent
// ends.
const shutdownTimeout = 5 * time.Second

// serve answers on the local API until ctx ends.
func (a *Agent) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", a.getStatus)
	mux.HandleFunc("GET /v1/userdata", a.getUserData)
	mux.HandleFunc("GET /v1/userdata/raw", a.getRaw)
	mux.HandleFunc("POST /v1/userdata/fetch", a.postFetch)
	mux.HandleFunc("PUT /v1/containers/{name}", a.putContainer)
	mux.HandleFunc("DELETE /v1/containers/{name}", a.deleteContainer)
	mux.HandleFunc("GET /v1/containers/{name}/progress", a.getProgress)
	mux.HandleFunc("GET /v1/gc", a.getGC)
	mux.HandleFunc("POST /v1/gc", a.postGC)
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, ConnContext: withPeer,
		// Requests end with the agent: none is left waiting for a container.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(drain)
	})
	defer stopped()
	if err := server.Serve(a.Listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the local API: %w", err)
	}
	return nil
}

func (a *Agent) getStatus(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(a.status(r.Context())); err != nil {
		a.Log.Debug("status not sent", zap.Error(err))
	}
}

// status is how the host fares.
func (a *Agent) status(ctx context.Context) api.Status {
	s := api.Status{
		Version: api.Version,
		Agent:   api.Agent{Reachable: true, Version: a.Version},
		Docker:  a.Status.Docker(ctx),
	}
	containers, err := a.Status.Containers(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	s.Source = a.sourceNow()
	s.Source.Problems = append(s.Source.Problems, a.kept.clashes()...)
	if err != nil {
		s.Source.Problems = append(s.Source.Problems, err.Error())
	}
	for i := range containers {
		containers[i].Origin = a.kept.origin(containers[i].Name)
		if p, found := a.pending[containers[i].Name]; found {
			waiting := *p
			containers[i].Pending = &waiting
		}
	}
	s.Containers = append([]api.Container{}, containers...)
	if a.keeper != nil {
		house := a.keeper.Status()
		s.Housekeeping = &house
	}
	s.Well = status.Well(s)
	return s
}

func (a *Agent) setTarget(source api.Source, force *accepted, changed []*spec.Container) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.source, a.kept, a.read = source, force, true
	clear(a.pending)
	for _, c := range changed {
		a.pending[c.Name] = &api.Pending{Image: c.Image, Doing: "waiting"}
	}
	a.tellMoved()
}

func (a *Agent) addProblem(err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.source.Problems = append(a.source.Problems, problems(err)...)
}
