// Package enginetest is a Docker Engine for tests: [Server] is a small one
// that keeps its state in memory and runs Go functions as containers, and
// [RunSuite] holds it to what a real Engine does. Nothing but tests may import
// it.
package enginetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/registry"
	"github.com/docker/docker/api/types/system"
	"golang.org/x/sys/unix"
)

// apiVersion is what the fake says that it speaks.
const apiVersion = "1.45"

// Server is an Engine on a unix socket. Its containers are functions, and go
// on while it is down, as under live-restore.
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
	trouble  string
	cut      int
	down     bool
	// holdsLog and holdsAttached say that what programs write goes no further
	// than into the Engine's memory, on its way to their logs or to who is
	// attached.
	holdsLog, holdsAttached bool
	trusted                 []string // registries without a certificate
	restores                bool
	runtimes                map[string]string
	boxes                   map[string]*box
	execs                   map[string]*exec
	made                    int
	hijacked                map[net.Conn]bool
	watchers                map[chan events.Message]func(events.Message) bool
}

// NewServer returns an Engine that is up and has no image. It ends with the
// test, and its containers with it.
func NewServer(tb testing.TB) *Server {
	tb.Helper()
	s := &Server{
		tb:       tb,
		socket:   filepath.Join(tb.TempDir(), "docker.sock"),
		images:   map[string]Image{},
		registry: map[string]Image{},
		restores: true,
		runtimes: map[string]string{"runc": "runc"},
		boxes:    map[string]*box{},
		execs:    map[string]*exec{},
		hijacked: map[net.Conn]bool{},
		watchers: map[chan events.Message]func(events.Message) bool{},
	}
	s.Up()
	tb.Cleanup(func() {
		s.Down()
		for _, b := range s.all() {
			s.signal(b, sigkill)
		}
		s.programs.Wait()
	})
	return s
}

// Address is where the Engine is, as DOCKER_HOST has it.
func (s *Server) Address() string { return "unix://" + s.socket }

// Up has the Engine answer.
func (s *Server) Up() {
	listener, err := net.Listen("unix", s.socket) //nolint:noctx // a local socket is there at once
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

// restore reads what a container wrote while the Engine was down.
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

// Down ends every connection and has nobody answer, until Up.
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

// Hold has what programs write from now on stay in the Engine's memory, on its
// way to their logs, or to who is attached: Down loses it.
func (s *Server) Hold(log, attached bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.holdsLog, s.holdsAttached = log, attached
}

// Leave is Down without live-restore: the Engine takes no new requests, stops
// its containers, tells who listens, and is gone.
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

// AddImage gives the host an image.
func (s *Server) AddImage(ref string, image Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.images[normal(ref)] = image
}

// Publish gives the registry an image.
func (s *Server) Publish(ref string, image Image) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.registry[normal(ref)] = image
}

// FailPulls has each pull fail with this error, until it is "".
func (s *Server) FailPulls(trouble string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = trouble
}

// AddRuntime registers an OCI runtime.
func (s *Server) AddRuntime(name, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runtimes[name] = path
}

// Trust has a registry need no certificate that is trusted.
func (s *Server) Trust(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trusted = append(s.trusted, host)
}

// RemoveRuntime has an OCI runtime unregistered.
func (s *Server) RemoveRuntime(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.runtimes, name)
}

// LiveRestore says whether the Engine is set up to leave its containers alone
// when it goes. It is unless it was told.
func (s *Server) LiveRestore(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.restores = on
}

// FailOutput has the next n requests for a container's output cut off.
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

// Pause tells who listens that someone paused a container, or let it go on. Its
// program goes on in any case.
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

// Forget ends a container, and the Engine knows nothing of it any more.
func (s *Server) Forget(name string) {
	b := s.find(name)
	s.signal(b, sigkill)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.boxes, b.id)
}

// routes is the Engine's API, as far as dockhost uses it, with and without the
// version that clients put before each path.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_ping", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", apiVersion)
	})
	mux.HandleFunc("GET /info", s.serveInfo)
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
	mux.HandleFunc("GET /events", s.serveEvents)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		if rest, found := strings.CutPrefix(r.URL.Path, "/v1."); found {
			_, rest, _ = strings.Cut(rest, "/")
			r.URL.Path = "/" + rest
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) serveInfo(w http.ResponseWriter, _ *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	info := system.Info{ServerVersion: "26.1.5-fake", DockerRootDir: filepath.Dir(s.socket), LiveRestoreEnabled: s.restores, Runtimes: map[string]system.RuntimeWithStatus{}}
	info.RegistryConfig = &registry.ServiceConfig{IndexConfigs: map[string]*registry.IndexInfo{}}
	for _, host := range s.trusted {
		info.RegistryConfig.IndexConfigs[host] = &registry.IndexInfo{Name: host}
	}
	for name, path := range maps.All(s.runtimes) {
		info.Runtimes[name] = system.RuntimeWithStatus{Runtime: system.Runtime{Path: path}}
	}
	answer(w, http.StatusOK, info)
}

// answer writes a JSON body.
func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// refuse writes an error as the Engine does.
func refuse(w http.ResponseWriter, status int, format string, args ...any) {
	answer(w, status, map[string]string{"message": fmt.Sprintf(format, args...)})
}

// flush sends what was written so far.
func flush(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() }
