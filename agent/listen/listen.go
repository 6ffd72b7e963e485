// Package listen serves HTTP at the TCP addresses that dockhost.yaml names, for load
// balancers and for Prometheus. An address that cannot be used is a problem, and is tried
// again. It never ends the agent.
package listen

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"go.uber.org/zap"
	"golang.org/x/net/netutil"

	"github.com/dockhost/dockhost/internal/backoff"
)

const (
	// clientTimeout bounds the reading of a request, and the writing of an answer.
	clientTimeout = 5 * time.Second
	// maxClients is how many connections there may be at a time. Others wait.
	maxClients = 64
	// maxHeader bounds the head of a request, in bytes.
	maxHeader = 8 << 10
)

// Server serves at one address, which may change.
type Server struct {
	// key is the key of the address in dockhost.yaml.
	key     string
	handler http.Handler
	log     *zap.Logger
	// moved receives the next address.
	moved chan string
	// retry is how long the first wait after an error is.
	retry time.Duration

	mu      sync.Mutex
	address string
	problem string
}

// New returns a server without an address. key is the key of the address in
// dockhost.yaml, such as "health.listen".
func New(key string, handler http.Handler, log *zap.Logger) *Server {
	return &Server{key: key, handler: handler, log: log, moved: make(chan string, 1), retry: time.Second}
}

// Move has the server listen at another address; at none for "".
func (s *Server) Move(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.address == address {
		return
	}
	s.address = address
	select {
	case <-s.moved:
	default:
	}
	s.moved <- address
}

// Problem says why the server does not listen, and what to do; "" if it does, or should
// not.
func (s *Server) Problem() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problem
}

// Run serves until ctx ends.
func (s *Server) Run(ctx context.Context) {
	address := ""
	for ctx.Err() == nil {
		if address == "" {
			s.setProblem("")
			select {
			case <-ctx.Done():
			case address = <-s.moved:
			}
			continue
		}
		address = s.at(ctx, address)
	}
}

// at serves at an address until the next one is known, which it returns.
func (s *Server) at(ctx context.Context, address string) (next string) {
	tries := backoff.Backoff{Next: s.retry, Cap: time.Minute}
	for ctx.Err() == nil {
		here, cancel := context.WithCancel(ctx)
		var group sync.WaitGroup
		moved := false
		group.Go(func() {
			select {
			case <-here.Done():
			case next = <-s.moved:
				moved = true
				cancel()
			}
		})
		err := s.serve(here, address)
		if err != nil && here.Err() == nil {
			s.setProblem(fmt.Sprintf("%s: %v (see what uses the port with: ss -ltnp; or write another address in /etc/dockhost/dockhost.yaml)", s.key, err))
			_ = tries.Wait(here)
		}
		cancel()
		group.Wait()
		if moved {
			return next
		}
	}
	return ""
}

// serve serves until ctx ends, or there is an error.
func (s *Server) serve(ctx context.Context, address string) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return err
	}
	s.setProblem("")
	s.log.Info("listening", zap.String("for", s.key), zap.String("address", listener.Addr().String()))
	server := &http.Server{
		Handler: s.handler, ReadTimeout: clientTimeout, WriteTimeout: clientTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: zap.NewStdLog(zap.NewNop()),
	}
	server.SetKeepAlivesEnabled(false)
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	if err := server.Serve(netutil.LimitListener(listener, maxClients)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// setProblem notes a problem, and logs it when it is another one.
func (s *Server) setProblem(problem string) {
	s.mu.Lock()
	changed := s.problem != problem
	s.problem = problem
	s.mu.Unlock()
	switch {
	case changed && problem != "":
		s.log.Error("cannot listen, trying again", zap.String("problem", problem))
	case changed:
		s.log.Info("listening problem solved", zap.String("for", s.key))
	}
}
