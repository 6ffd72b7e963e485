// Package enginetest is a fake Docker Engine for tests. [Server] keeps its state in
// memory and runs Go functions as containers. [RunSuite] is a test suite that both
// the fake and real Engines pass. Only tests may import the package.
package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/network"
	"golang.org/x/sys/unix"
)

// serverVersion is the version of the fake, and runc its first runtime.
const (
	serverVersion = "26.1.5-fake"
	runc          = "runc"
)

// Server is an Engine on a unix socket. Its containers are functions, which keep
// running while it is down, as with live-restore.
type Server struct {
	tb       testing.TB
	socket   string
	programs sync.WaitGroup
	calls    atomic.Int64

	mu       sync.Mutex
	http     *http.Server
	listener net.Listener
	images   map[string]Image
	registry map[string]Image
	// volumes are the labels of the volumes, by name.
	volumes  map[string]map[string]string
	networks map[string]network.Inspect
	trouble  string
	cut      int
	// broken is the error in the place of each log, "" for none at all; nil if logs can be read.
	broken *string
	down   bool
	// holdsLog and holdsAttached say that output stays in the Engine's memory and
	// does not reach logs or attached clients.
	holdsLog, holdsAttached bool
	hang                    *hang
	trusted                 []string // registries without a certificate
	restores                bool
	runtimes                map[string]string
	runtimeArgs             map[string][]string
	defaultRuntime          string
	podman, snapshotter     bool
	oldestAPI, newestAPI    string
	boxes                   map[string]*box
	execs                   map[string]*exec
	created                 int
	hijacked                map[net.Conn]bool
	watchers                map[chan events.Message]func(events.Message) bool
}

// NewServer returns an Engine that is up and has no image. It and its containers end
// with the test.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{
		tb:       tb,
		socket:   filepath.Join(tb.TempDir(), "docker.sock"),
		images:   map[string]Image{},
		registry: map[string]Image{},
		volumes:  map[string]map[string]string{},
		networks: map[string]network.Inspect{},
		restores: true, oldestAPI: oldestAPI, newestAPI: newestAPI,
		runtimes: map[string]string{runc: runc}, runtimeArgs: map[string][]string{}, defaultRuntime: runc,
		boxes:    map[string]*box{},
		execs:    map[string]*exec{},
		hijacked: map[net.Conn]bool{},
		watchers: map[chan events.Message]func(events.Message) bool{},
	}
	s.Up()
	tb.Cleanup(func() {
		s.Continue()
		s.Down()
		for _, b := range s.all() {
			s.signal(b, sigkill)
		}
		s.programs.Wait()
	})
	return s
}

// Address returns the Engine's address in the form of DOCKER_HOST.
func (s *Server) Address() string { return "unix://" + s.socket }

// Up starts the Engine.
func (s *Server) Up() {
	listener, err := net.Listen("unix", s.socket) //nolint:noctx // a local socket does not block
	if err != nil {
		s.tb.Fatalf("listen as Docker: %v", err)
	}
	server := &http.Server{Handler: s.routes(), ReadHeaderTimeout: time.Minute}
	s.mu.Lock()
	s.http, s.listener = server, listener
	s.down, s.holdsLog, s.holdsAttached = false, false, false
	s.mu.Unlock()
	for _, b := range s.all() {
		s.restore(b)
	}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.tb.Errorf("serve as Docker: %v", err)
		}
	}()
}

// restore reads the output that a container wrote while the Engine was down.
func (s *Server) restore(b *box) {
	b.writing.Lock()
	defer b.writing.Unlock()
	s.pump(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.state.Running {
		b.log.end()
	}
}

// Down closes every connection and accepts none until Up.
func (s *Server) Down() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = true
	_ = s.http.Close()
	for conn := range s.hijacked {
		_ = conn.Close()
	}
	clear(s.hijacked)
	for _, b := range s.boxes {
		b.attached = nil
		b.log.forget()
	}
}

// Hold keeps future output in the Engine's memory, from logs, from attached clients or
// both. Down loses this output.
func (s *Server) Hold(log, attached bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdsLog, s.holdsAttached = log, attached
}

// BreakLogs makes the Engine answer with an error when it reads a log, as after a
// message that was written in part onto a full disk. With "" the log only ends, as with
// Docker 29.
func (s *Server) BreakLogs(message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = &message
}

// Leave shuts the Engine down as without live-restore: it accepts no new requests,
// stops its containers and sends their events.
func (s *Server) Leave() {
	s.mu.Lock()
	s.http.SetKeepAlivesEnabled(false)
	_ = s.listener.Close()
	s.mu.Unlock()
	for _, b := range s.all() {
		ended, running := s.signal(b, unix.SIGTERM)
		if running {
			<-ended
			s.mu.Lock()
			s.emit(b, events.ActionStop)
			s.mu.Unlock()
		}
	}
}

// AddImage adds an image to the host.
func (s *Server) AddImage(ref string, image Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[normal(ref)] = image
}

// Publish adds an image to the registry.
func (s *Server) Publish(ref string, image Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registry[normal(ref)] = image
}

// FailPulls makes each pull fail with this error, until it is called with "".
func (s *Server) FailPulls(trouble string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = trouble
}

// AddRuntime registers an OCI runtime. args come before all its other arguments.
func (s *Server) AddRuntime(name, path string, args ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runtimes[name], s.runtimeArgs[name] = path, args
	s.reloaded()
}

// Trust makes a registry insecure: it needs no trusted certificate.
func (s *Server) Trust(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusted = append(s.trusted, host)
	s.reloaded()
}

// RemoveRuntime unregisters an OCI runtime.
func (s *Server) RemoveRuntime(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runtimes, name)
	s.reloaded()
}

// LiveRestore sets whether the Engine reports live-restore. The default is true.
func (s *Server) LiveRestore(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restores = on
	s.reloaded()
}

// FailOutput closes the connection of the next n requests for a container's output.
func (s *Server) FailOutput(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cut = n
}

// Kill sends a container a signal, as docker kill does.
func (s *Server) Kill(name string, sig unix.Signal) {
	b := s.find(name)
	if b == nil {
		s.tb.Errorf("kill %q: no such container", name)
		return
	}
	s.signal(b, sig)
}

// Pause sends the event that a container was paused or unpaused. Its program keeps
// running in either case.
func (s *Server) Pause(name string, paused bool) {
	b := s.find(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.state.Paused = paused
	action := events.ActionUnPause
	if paused {
		action = events.ActionPause
	}
	s.emit(b, action)
}

// Forget kills a container and removes it without an event.
func (s *Server) Forget(name string) {
	b := s.find(name)
	s.signal(b, sigkill)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.boxes, b.id)
}

// Unlist makes a container one that the Engine could not load when it started: it is found
// by its id alone.
func (s *Server) Unlist(name string) {
	b := s.find(name)
	s.mu.Lock()
	defer s.mu.Unlock()
	b.unlisted = true
}

// routes returns the part of the Engine's API that dockhost uses, with and without
// the version in the path.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /info", s.serveInfo)
	mux.HandleFunc("GET /version", s.serveVersion)
	mux.HandleFunc("GET /images/{ref...}", s.serveImage)
	s.routesOfStore(mux)
	mux.HandleFunc("POST /images/create", s.servePull)
	mux.HandleFunc("GET /containers/json", s.serveList)
	mux.HandleFunc("POST /containers/create", s.serveCreate)
	mux.HandleFunc("GET /containers/{id}/json", s.withBox(s.serveInspect))
	mux.HandleFunc("POST /containers/{id}/start", s.withBox(s.serveStart))
	mux.HandleFunc("POST /containers/{id}/stop", s.withBox(s.serveStop))
	mux.HandleFunc("POST /containers/{id}/kill", s.withBox(s.serveKill))
	mux.HandleFunc("POST /containers/{id}/wait", s.withBox(s.serveWait))
	mux.HandleFunc("GET /containers/{id}/logs", s.withBox(s.serveLogs))
	mux.HandleFunc("POST /containers/{id}/attach", s.withBox(s.serveAttach))
	mux.HandleFunc("POST /containers/{id}/exec", s.withBox(s.serveExecCreate))
	mux.HandleFunc("POST /exec/{id}/start", s.withExec(s.serveExecStart))
	mux.HandleFunc("GET /exec/{id}/json", s.withExec(s.serveExecInspect))
	mux.HandleFunc("DELETE /containers/{id}", s.withBox(s.serveRemove))
	mux.HandleFunc("GET /volumes", s.serveVolumes)
	mux.HandleFunc("GET /volumes/{name}", s.serveVolume)
	mux.HandleFunc("POST /volumes/create", s.serveCreateVolume)
	mux.HandleFunc("DELETE /volumes/{name}", s.serveRemoveVolume)
	s.routesOfNetworks(mux)
	mux.HandleFunc("GET /events", s.serveEvents)
	return s.withoutVersion(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		s.hold(r)
		mux.ServeHTTP(w, r)
	}))
}

// answer writes a response with a JSON body.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// refuse writes an error as the Engine does.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	answer(w, status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// flush sends the response written so far.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
