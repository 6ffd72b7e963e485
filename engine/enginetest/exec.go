package enginetest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// exec is a command in a container.
type exec struct {
	box     *box
	command []string
	running bool
	code    int
}

func (s *Server) withExec(serve func(http.ResponseWriter, *http.Request, *exec)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		e := s.execs[r.PathValue("id")]
		s.mu.Unlock()
		if e == nil {
			refuse(w, http.StatusNotFound, "No such exec instance: %s", r.PathValue("id"))
			return
		}
		serve(w, r, e)
	}
}

func (s *Server) serveExecCreate(w http.ResponseWriter, r *http.Request, b *box) {
	var options container.ExecOptions
	if err := json.NewDecoder(r.Body).Decode(&options); err != nil {
		refuse(w, http.StatusBadRequest, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.state.Running {
		refuse(w, http.StatusConflict, "container %s is not running", b.id)
		return
	}
	id := fmt.Sprintf("exec%d", len(s.execs))
	s.execs[id] = &exec{box: b, command: options.Cmd, running: true}
	answer(w, http.StatusCreated, container.ExecCreateResponse{ID: id})
}

func (s *Server) serveExecStart(w http.ResponseWriter, r *http.Request, e *exec) {
	_, _ = io.Copy(io.Discard, r.Body)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "%v", err)
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	code := 127
	if e.box.image.Exec != nil {
		code = e.box.image.Exec(e.box.process, e.command, stdcopy.NewStdWriter(conn, stdcopy.Stdout))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	e.running, e.code = false, code
}

func (s *Server) serveExecInspect(w http.ResponseWriter, _ *http.Request, e *exec) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer(w, http.StatusOK, container.ExecInspect{Running: e.running, ExitCode: e.code})
}
