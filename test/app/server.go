package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	headerTimeout   = 10 * time.Second
	shutdownTimeout = 5 * time.Second
	pageBytes       = 4096
	maxEatenMB      = 64 << 10
)

// server is the misbehaving HTTP server. The first of a signal, a request and a timer decides its exit status.
type server struct {
	opts    options
	machine host
	started time.Time
	sick    atomic.Bool
	hung    atomic.Bool
	reloads atomic.Int64
	// firstAnswer is the time of the first answer in seconds since the boot; nil without -first-answer.
	firstAnswer atomic.Pointer[string]
	exit        chan int

	mu    sync.Mutex
	eaten [][]byte
}

func newServer(opts options, machine host) *server {
	return &server{opts: opts, machine: machine, started: time.Now(), exit: make(chan int, 1)}
}

// Run serves until the server is stopped or ctx ends, and returns the exit status.
func (s *server) Run(ctx context.Context) (int, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	web := &http.Server{Addr: s.opts.listen, Handler: s.routes(), ReadHeaderTimeout: headerTimeout}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", s.opts.listen)
	if err != nil {
		return 1, fmt.Errorf("serve %q: %w", s.opts.listen, err)
	}
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	if s.opts.firstAnswer {
		if err := s.timeFirstAnswer(ctx, listener); err != nil {
			return 1, err
		}
	}
	go writeLines(ctx, s.logOutput(), s.opts.logRate)
	go s.keepNotified(ctx)

	code, err := s.wait(ctx, failed)
	if err != nil {
		return 1, err
	}
	return code, stop(ctx, web)
}

// timeFirstAnswer sends a request to the server, and stores the time of the answer.
func (s *server) timeFirstAnswer(ctx context.Context, listener net.Listener) error {
	address, isTCP := listener.Addr().(*net.TCPAddr)
	if !isTCP {
		return fmt.Errorf("time the first answer: %s is not a TCP address", listener.Addr())
	}
	if err := ask(ctx, http.MethodGet, strconv.Itoa(address.Port), "/"); err != nil {
		return fmt.Errorf("time the first answer: %w", err)
	}
	// /proc/uptime shows CLOCK_BOOTTIME (proc_uptime(5)).
	uptime, err := os.ReadFile("/proc/uptime")
	if err != nil {
		return fmt.Errorf("time the first answer: %w", err)
	}
	at, _, _ := strings.Cut(string(uptime), " ")
	s.firstAnswer.Store(&at)
	return nil
}

// wait waits until the server has to end, and returns the exit status.
func (s *server) wait(ctx context.Context, failed <-chan error) (int, error) {
	for {
		select {
		case <-ctx.Done():
			return 0, nil
		case err := <-failed:
			return 1, fmt.Errorf("serve %q: %w", s.opts.listen, err)
		case code := <-s.exit:
			return code, nil
		case <-exitTimer(s.opts.exitAfter, s.started):
			return s.opts.exitCode, nil
		case sig := <-s.machine.signals:
			switch {
			case sig == syscall.SIGHUP:
				s.reload(sig)
			case sig == syscall.SIGUSR1:
				_, _ = fmt.Fprintln(s.machine.stderr, "got SIGUSR1")
			case sig == syscall.SIGTERM && s.opts.ignoreSigterm:
				_, _ = fmt.Fprintln(s.machine.stderr, "ignoring SIGTERM")
			default:
				return 0, nil
			}
		}
	}
}

// reload only counts reloads.
func (s *server) reload(cause fmt.Stringer) {
	_, _ = fmt.Fprintf(s.machine.stderr, "reload %d, by %v\n", s.reloads.Add(1), cause)
}

// exitTimer fires the given time after the start. For 0 it is nil, and never fires.
func exitTimer(after time.Duration, started time.Time) <-chan time.Time {
	if after == 0 {
		return nil
	}
	return time.After(time.Until(started.Add(after)))
}

// stop shuts the server down, and waits a bounded time for open requests.
func stop(ctx context.Context, web *http.Server) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := web.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return web.Close()
	}
	return err
}

func (s *server) logOutput() io.Writer {
	if s.opts.logStderr {
		return s.machine.stderr
	}
	return s.machine.stdout
}

func (s *server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.serveVersion)
	mux.HandleFunc("GET /healthz", s.serveHealth)
	mux.HandleFunc("POST /healthy", s.serveHealthy)
	mux.HandleFunc("POST /hang", s.serveHang)
	mux.HandleFunc("POST /reload", s.serveReload)
	mux.HandleFunc("GET /reloads", s.serveReloads)
	mux.HandleFunc("POST /crash", s.serveCrash)
	mux.HandleFunc("POST /eat", s.serveEat)
	mux.HandleFunc("GET /env", s.serveEnv)
	mux.HandleFunc("GET /first-answer", s.serveFirstAnswer)
	return mux
}

// identity is the answer to GET /.
type identity struct {
	Version  string `json:"version"`
	Hostname string `json:"hostname"`
	PID      int    `json:"pid"`
}

func (s *server) serveVersion(w http.ResponseWriter, _ *http.Request) {
	version, _ := s.machine.lookupEnv("APP_VERSION")
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(identity{Version: version, Hostname: s.machine.hostname, PID: os.Getpid()})
}

func (s *server) serveHealth(w http.ResponseWriter, r *http.Request) {
	if s.hung.Load() {
		<-r.Context().Done()
		return
	}
	if left := s.opts.readyAfter - time.Since(s.started); left > 0 {
		http.Error(w, fmt.Sprintf("not ready for another %v", left.Round(time.Millisecond)), http.StatusServiceUnavailable)
		return
	}
	if s.sick.Load() {
		http.Error(w, "unhealthy by request", http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok")
}

// serveHang makes the server look hung: it answers no further request for its health.
func (s *server) serveHang(w http.ResponseWriter, _ *http.Request) {
	s.hung.Store(true)
	w.WriteHeader(http.StatusNoContent)
}

// serveReload fails while the server is unhealthy by request.
func (s *server) serveReload(w http.ResponseWriter, r *http.Request) {
	if s.sick.Load() {
		http.Error(w, "cannot reload while unhealthy", http.StatusServiceUnavailable)
		return
	}
	s.reload(r.URL)
}

func (s *server) serveReloads(w http.ResponseWriter, _ *http.Request) {
	_, _ = fmt.Fprintln(w, s.reloads.Load())
}

func (s *server) serveHealthy(w http.ResponseWriter, r *http.Request) {
	healthy, err := strconv.ParseBool(r.URL.Query().Get("on"))
	if err != nil {
		http.Error(w, "on must be true or false", http.StatusBadRequest)
		return
	}
	s.sick.Store(!healthy)
	w.WriteHeader(http.StatusNoContent)
}

func (s *server) serveCrash(w http.ResponseWriter, r *http.Request) {
	code, err := intParam(r, "code", 0, 255)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.WriteHeader(http.StatusNoContent)
	select {
	case s.exit <- code:
	default: // an earlier request has decided already
	}
}

func (s *server) serveEat(w http.ResponseWriter, r *http.Request) {
	megabytes, err := intParam(r, "mb", 1, maxEatenMB)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.eat(megabytes << 20)
	w.WriteHeader(http.StatusNoContent)
}

// eat allocates memory and keeps it. It writes to each page, because the kernel does not allocate untouched pages.
func (s *server) eat(bytes int) {
	food := make([]byte, bytes)
	for i := 0; i < bytes; i += pageBytes {
		food[i] = 1
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.eaten = append(s.eaten, food)
}

func (s *server) serveEnv(w http.ResponseWriter, r *http.Request) {
	name := r.URL.Query().Get("name")
	value, ok := s.machine.lookupEnv(name)
	if !ok {
		http.Error(w, fmt.Sprintf("no variable %q", name), http.StatusNotFound)
		return
	}
	_, _ = io.WriteString(w, value)
}

func (s *server) serveFirstAnswer(w http.ResponseWriter, r *http.Request) {
	at := s.firstAnswer.Load()
	if at == nil {
		http.NotFound(w, r)
		return
	}
	_, _ = fmt.Fprintln(w, *at)
}

// intParam returns the query parameter as a number from lowest to highest.
func intParam(r *http.Request, name string, lowest, highest int) (int, error) {
	text := r.URL.Query().Get(name)
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s must be a number, not %q", name, text)
	}
	if n < lowest || n > highest {
		return 0, fmt.Errorf("cannot use %s=%d: it goes from %d to %d", name, n, lowest, highest)
	}
	return n, nil
}
