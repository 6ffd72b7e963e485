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
	"github.com/dockhost/dockhost/rundir"
)

const (
	// shutdownTimeout bounds the answers that are not finished when the agent ends.
	shutdownTimeout = 5 * time.Second
	// sendTimeout bounds the sending of one line to a client that does not read.
	sendTimeout = 10 * time.Second
)

// server serves the local API. It reads what the other parts of the agent hold,
// and hands requests for changes to the goroutine that reconciles.
type server struct {
	version string
	dir     rundir.Dir
	status  status.Gatherer
	systemd unitManager
	store   *store
	fetcher *fetcher
	house   *house
	updates *updates
	besides *besides
	log     *zap.Logger

	// changes are the changes that clients request.
	changes chan change
	// refetches are the requests to fetch the user data again; each is closed when
	// that was done.
	refetches chan chan struct{}
	// watchers has an element for each client that watches the status.
	watchers chan struct{}
}

func newServer(o Options, dir rundir.Dir, a *Agent) *server {
	return &server{
		version: o.Version, dir: dir, status: o.Status, systemd: o.Units, store: a.store, fetcher: a.fetcher, house: a.house, updates: a.updates, besides: a.units.besides, log: o.Log,
		changes: make(chan change), refetches: make(chan chan struct{}), watchers: make(chan struct{}, maxWatchers),
	}
}

// serve answers requests until ctx ends.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", s.getStatus)
	mux.HandleFunc("GET /v1/watch", s.getWatch)
	mux.HandleFunc("GET /v1/userdata", s.getUserData)
	mux.HandleFunc("GET /v1/userdata/raw", s.getRaw)
	mux.HandleFunc("POST /v1/userdata/fetch", s.postFetch)
	mux.HandleFunc("PUT /v1/containers/{name}", s.putContainer)
	mux.HandleFunc("DELETE /v1/containers/{name}", s.deleteContainer)
	mux.HandleFunc("GET /v1/containers/{name}/progress", s.getProgress)
	mux.HandleFunc("GET /v1/history", s.getHistory)
	mux.HandleFunc("POST /v1/containers/{name}/update", s.postUpdate)
	mux.HandleFunc("GET /v1/containers/{name}/update", s.getUpdate)
	mux.HandleFunc("POST /v1/containers/{name}/rollback", s.postRollback)
	mux.HandleFunc("PUT /v1/containers/{name}/hold", s.putHold)
	mux.HandleFunc("DELETE /v1/containers/{name}/hold", s.deleteHold)
	mux.HandleFunc("GET /v1/gc", s.getGC)
	mux.HandleFunc("POST /v1/gc", s.postGC)
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
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the local API: %w", err)
	}
	return nil
}

func (s *server) refuse(w http.ResponseWriter, code int, err error) {
	s.send(w, code, api.Refusal{Problems: problems(err)})
}

func (s *server) send(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if err := json.NewEncoder(w).Encode(answer); err != nil {
		s.log.Debug("answer not sent", zap.Error(err))
	}
}
