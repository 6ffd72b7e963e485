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
	"github.com/dockhost/dockhost/agent/events"
	"github.com/dockhost/dockhost/agent/status"
	"github.com/dockhost/dockhost/rundir"
)

const (
	// shutdownTimeout bounds the answers that are not finished when the agent ends.
	shutdownTimeout = 5 * time.Second
	// sendTimeout bounds the sending of an answer, or of one line of it, to a client that
	// does not read.
	sendTimeout = 10 * time.Second
	// maxHeader bounds the head of a request, in bytes.
	maxHeader = 16 << 10
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
	events  *events.Store
	boot    *boot
	outlets *outlets
	puller  *puller
	// operator stops and starts containers for people.
	operator *operator
	// waitsFor says which stops a container waits for.
	waitsFor func(container string) string
	log      *zap.Logger

	// public is the last status for those who may only read.
	public recent[api.Status]
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
		version: o.Version, dir: dir, status: o.Status, systemd: o.Units, store: a.store, fetcher: a.fetcher, house: a.house, updates: a.updates, besides: a.units.besides, events: a.events, boot: a.boot, log: o.Log,
		operator: &operator{deployer: a.deployer, log: o.Log}, puller: a.puller, waitsFor: a.deployer.waits.of,
		changes: make(chan change), refetches: make(chan chan struct{}), watchers: make(chan struct{}, maxWatchers),
	}
}

// serve answers requests until ctx ends.
func (s *server) serve(ctx context.Context, listener net.Listener) error {
	changers := changersOf(listener.Addr().String())
	server := &http.Server{
		Handler: s.routes(changers), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: maxHeader, ConnContext: withPeer,
		// Requests end with the agent: none is left waiting for a container.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stopped := context.AfterFunc(ctx, func() {
		drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(drain)
	})
	defer stopped()
	if err := server.Serve(newClientListener(listener, changers, clientLimits())); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve the local API: %w", err)
	}
	return nil
}

func (s *server) refuse(w http.ResponseWriter, code int, err error) {
	s.send(w, code, api.Refusal{Problems: problems(err)})
}

func (s *server) send(w http.ResponseWriter, code int, answer any) {
	w.Header().Set("Content-Type", "application/json")
	deadlineErr := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(sendTimeout))
	w.WriteHeader(code)
	if err := errors.Join(deadlineErr, json.NewEncoder(w).Encode(visible(w, answer))); err != nil {
		s.log.Debug("answer not sent", zap.Error(err))
	}
}
