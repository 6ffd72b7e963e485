package enginetest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-units"
	"golang.org/x/sys/unix"
)

// box is a container of the fake.
type box struct {
	id, name string
	config   *container.Config
	host     *container.HostConfig
	image    Image
	mounts   []container.MountPoint
	// unlisted says that the Engine has not loaded the container when it started.
	unlisted bool
	// endpoints are the networks of the container, by name.
	endpoints map[string]*network.EndpointSettings
	state     container.State
	attached  []net.Conn
	signals   chan os.Signal
	kill      context.CancelFunc
	// next is closed at the container's next exit, gone when it is removed.
	next, gone chan struct{}
	removing   bool
	stdin      input
	// process is the process of the current run.
	process *Process
	log     *journal
	// pipe has the output that the Engine has not read yet. writing serializes its
	// writer and its reader.
	pipe    []piped
	writing sync.Mutex
}

// withBox calls serve with the container that the path names by id or name.
func (s *Server) withBox(serve func(http.ResponseWriter, *http.Request, *box)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		b := s.find(r.PathValue("id"))
		if b == nil {
			refuse(w, http.StatusNotFound, "No such container: %s", r.PathValue("id"))
			return
		}
		serve(w, r, b)
	}
}

func (s *Server) find(id string) *box {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lookup(id)
}

// lookup is find for callers that hold the lock.
func (s *Server) lookup(id string) *box {
	if b := s.boxes[id]; b != nil {
		return b
	}
	for _, b := range s.boxes {
		if b.name == id {
			return b
		}
	}
	return nil
}

func (s *Server) all() []*box {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.boxes))
}

// serveCreate checks the request in moby's order: host configuration, image, name.
func (s *Server) serveCreate(w http.ResponseWriter, r *http.Request) {
	var request container.CreateRequest
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := r.URL.Query().Get("name")
	image, found := s.images[normal(request.Image)]
	runtime := request.HostConfig.Runtime
	switch {
	case runtime != "" && s.runtimes[runtime] == "":
		refuse(w, http.StatusBadRequest, "unknown or invalid runtime name: %s", runtime)
		return
	case !found:
		refuse(w, http.StatusNotFound, "No such image: %s", request.Image)
		return
	case s.lookup(name) != nil:
		refuse(w, http.StatusConflict, "Conflict. The container name %q is already in use by container %q.", "/"+name, s.lookup(name).id)
		return
	}
	s.created++
	id := fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "container %d", s.created)))
	s.boxes[id] = &box{
		id: id, name: name, config: request.Config, host: request.HostConfig, image: image,
		mounts: s.mountVolumes(id, request.Config, request.HostConfig, image),
		stdin:  newInput(),
		state:  container.State{Status: container.StateCreated}, next: make(chan struct{}), gone: make(chan struct{}), log: newJournal(),
	}
	if request.NetworkingConfig != nil {
		s.boxes[id].endpoints = request.NetworkingConfig.EndpointsConfig
	}
	answer(w, http.StatusCreated, container.CreateResponse{ID: id, Warnings: []string{}})
}

func (s *Server) serveInspect(w http.ResponseWriter, _ *http.Request, b *box) {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := b.state
	if b.removing && !state.Running {
		state.Status = container.StateRemoving
	}
	answer(w, http.StatusOK, container.InspectResponse{
		ContainerJSONBase: &container.ContainerJSONBase{
			ID: b.id, Name: "/" + b.name, Image: imageID(b.config.Image), State: &state, HostConfig: b.host,
		},
		Mounts:          b.mounts,
		Config:          b.config,
		NetworkSettings: &container.NetworkSettings{Networks: b.image.Networks},
	})
}

func (s *Server) serveList(w http.ResponseWriter, r *http.Request) {
	wanted, err := filters.FromJSON(r.URL.Query().Get("filters"))
	if err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	everything, _ := strconv.ParseBool(r.URL.Query().Get("all"))
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []container.Summary{}
	for _, b := range s.boxes {
		onNetwork := !wanted.Contains("network") || slices.ContainsFunc(wanted.Get("network"), func(name string) bool { return b.endpoints[name] != nil })
		if (everything || b.state.Running) && !b.unlisted && onNetwork && wanted.FuzzyMatch("id", b.id) && wanted.MatchKVList("label", b.config.Labels) {
			list = append(list, container.Summary{
				ID: b.id, Names: []string{"/" + b.name}, Image: b.config.Image, ImageID: imageID(b.config.Image),
				Labels: b.config.Labels, State: b.state.Status, Status: sentence(b.state),
			})
		}
	}
	answer(w, http.StatusOK, list)
}

// sentence returns a list's text for a container's state.
func sentence(state container.State) string {
	at, err := time.Parse(time.RFC3339Nano, state.FinishedAt)
	if state.Running || err != nil {
		return "Up"
	}
	return fmt.Sprintf("Exited (%d) %s ago", state.ExitCode, units.HumanDuration(time.Since(at)))
}

func (s *Server) serveStart(w http.ResponseWriter, _ *http.Request, b *box) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case b.state.Running:
		w.WriteHeader(http.StatusNotModified)
		return
	case b.image.StartError != "":
		b.state.ExitCode, b.state.Error = 128, b.image.StartError
		refuse(w, http.StatusInternalServerError, "%s", b.image.StartError)
		return
	}
	if missing := s.missingNetwork(b); missing != "" {
		b.state.ExitCode, b.state.Error = 128, "network "+missing+" not found"
		refuse(w, http.StatusNotFound, "network %s not found", missing)
		return
	}
	if taken := s.takenEndpoint(b); taken != "" {
		refuse(w, http.StatusForbidden, "endpoint with name %s already exists in network %s", b.name, taken)
		return
	}
	if code := unusable(b.config.Entrypoint); code != 0 {
		b.state.ExitCode, b.state.Error = code, fmt.Sprintf("exec: %q: cannot be run", b.config.Entrypoint[0])
		refuse(w, http.StatusBadRequest, "%s", b.state.Error)
		return
	}
	s.run(b)
	w.WriteHeader(http.StatusNoContent)
}

// unusable returns moby's exit code for a command that cannot be run, otherwise 0.
func unusable(command []string) int {
	switch {
	case len(command) == 0:
		return 0
	case command[0] == "/etc":
		return 126
	case strings.HasPrefix(command[0], "/nonexistent"):
		return 127
	}
	return 0
}

// Restart restarts a container as docker restart does. After the stop, no other client
// can change the container until it runs again.
func (s *Server) Restart(name string) {
	b := s.find(name)
	if ended, running := s.signal(b, unix.SIGTERM); running {
		<-ended
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(b, events.ActionStop)
	s.run(b)
	s.emit(b, events.ActionRestart)
}

// serveStop sends the container's stop signal and, after the timeout, SIGKILL.
func (s *Server) serveStop(w http.ResponseWriter, r *http.Request, b *box) {
	seconds, err := strconv.Atoi(r.URL.Query().Get("t"))
	if err != nil {
		seconds = 10
	}
	if seconds < 0 {
		seconds = math.MaxInt32
	}
	sig := unix.SIGTERM
	if b.config.StopSignal != "" {
		sig = signalNamed(b.config.StopSignal)
	}
	ended, running := s.signal(b, sig)
	if !running {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	select {
	case <-ended:
	case <-time.After(time.Duration(seconds) * time.Second):
		s.signal(b, sigkill)
		<-ended
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.emit(b, events.ActionStop)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) serveKill(w http.ResponseWriter, r *http.Request, b *box) {
	sig := sigkill
	if name := r.URL.Query().Get("signal"); name != "" {
		sig = signalNamed(name)
	}
	if _, running := s.signal(b, sig); !running {
		refuse(w, http.StatusConflict, "container %s is not running", b.id)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// signalNamed parses "HUP", "SIGHUP" and "1".
func signalNamed(name string) unix.Signal {
	if number, err := strconv.Atoi(name); err == nil {
		return unix.Signal(number)
	}
	return unix.SignalNum("SIG" + strings.TrimPrefix(name, "SIG"))
}

func (s *Server) serveRemove(w http.ResponseWriter, r *http.Request, b *box) {
	s.mu.Lock()
	if b.removing {
		s.mu.Unlock()
		refuse(w, http.StatusConflict, "removal of container %s is already in progress", b.id)
		return
	}
	b.removing = true
	s.mu.Unlock()
	if force, _ := strconv.ParseBool(r.URL.Query().Get("force")); force {
		if ended, running := s.signal(b, sigkill); running {
			<-ended
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.state.Running {
		b.removing = false
		refuse(w, http.StatusConflict, "cannot remove container %q: container is running", "/"+b.name)
		return
	}
	delete(s.boxes, b.id)
	if volumes, _ := strconv.ParseBool(r.URL.Query().Get("v")); volumes {
		s.unmountVolumes(b)
	}
	close(b.gone)
	s.emit(b, events.ActionDestroy)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) serveWait(w http.ResponseWriter, r *http.Request, b *box) {
	s.mu.Lock()
	next, running := b.next, b.state.Running
	s.mu.Unlock()
	condition := container.WaitCondition(r.URL.Query().Get("condition"))
	if condition == container.WaitConditionRemoved {
		next, running = b.gone, true
	}
	w.Header().Set("Content-Type", "application/json")
	flush(w)
	if condition == container.WaitConditionNextExit || running {
		select {
		case <-next:
		case <-r.Context().Done():
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = json.NewEncoder(w).Encode(container.WaitResponse{StatusCode: int64(b.state.ExitCode)})
}
