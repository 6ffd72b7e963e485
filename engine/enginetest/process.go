package enginetest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/pkg/stdcopy"
	"golang.org/x/sys/unix"
)

const (
	sigkill    = unix.SIGKILL
	exitKilled = 128 + int(sigkill)
)

// Process is a container's first process.
type Process struct {
	// Config and HostConfig are the container's configuration.
	Config         *container.Config
	HostConfig     *container.HostConfig
	Stdout, Stderr io.Writer
	// Stdin is what an attached client writes, if the container opens its standard input
	// once. Otherwise it never ends.
	Stdin io.Reader
	// Signals receives all signals except SIGKILL, which ends the program's ctx.
	Signals <-chan os.Signal
	// Checked says that the container has a health check.
	Checked bool

	server  *Server
	box     *box
	reloads atomic.Int64
}

// Reloaded counts a reload of the program and returns the number of reloads.
func (p *Process) Reloaded() int64 { return p.reloads.Add(1) }

// Health reports the result of a health check and its output.
func (p *Process) Health(status container.HealthStatus, output string) {
	p.HealthStreak(status, 0, output)
}

// HealthStreak is Health with a number of consecutive failures.
func (p *Process) HealthStreak(status container.HealthStatus, failures int, output string) {
	s := p.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if !p.box.state.Running {
		return
	}
	result := &container.HealthcheckResult{End: time.Now(), Output: output}
	if failures > 0 || status == container.Unhealthy {
		result.ExitCode = 1
	}
	health := &container.Health{Status: status, FailingStreak: failures, Log: []*container.HealthcheckResult{result}}
	before := p.box.state.Health
	p.box.state.Health = health
	s.emit(p.box, events.ActionExecDie)
	if before == nil || before.Status != status {
		s.emit(p.box, events.Action("health_status: "+status))
	}
}

// OutOfMemory reports that the kernel has killed a process of the container for lack of
// memory.
func (p *Process) OutOfMemory() {
	p.server.mu.Lock()
	defer p.server.mu.Unlock()
	p.box.state.OOMKilled = true
	p.server.emit(p.box, "oom")
}

// run starts the program. The caller holds the lock.
func (s *Server) run(b *box) {
	ctx, cancel := context.WithCancel(context.Background())
	b.kill, b.signals = cancel, make(chan os.Signal, 8)
	b.state = container.State{Status: container.StateRunning, Running: true, Pid: max(b.image.Pid, 1), StartedAt: time.Now().Format(time.RFC3339Nano)}
	check := b.config.Healthcheck
	checked := (check == nil && b.image.Healthcheck) || (check != nil && !slices.Equal(check.Test, []string{"NONE"}))
	if checked {
		b.state.Health = &container.Health{Status: container.Starting}
	}
	b.log.begin()
	p := &Process{
		Config: b.config, HostConfig: b.host, Signals: b.signals, Checked: checked, server: s, box: b,
		Stdin: b.stdin.reader, Stdout: output{s, b, stdcopy.Stdout}, Stderr: output{s, b, stdcopy.Stderr},
	}
	b.process = p
	s.emit(b, "start")
	s.programs.Go(func() {
		defer cancel()
		code := b.image.Run(ctx, p)
		if ctx.Err() != nil {
			code = exitKilled
		}
		s.ended(b, code)
	})
}

// ended ends a run: it closes the output, sends the event and releases waiters.
func (s *Server) ended(b *box, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.state.Status, b.state.Running, b.state.Pid, b.state.ExitCode = container.StateExited, false, 0, code
	b.state.FinishedAt = time.Now().Format(time.RFC3339Nano)
	for _, conn := range b.attached {
		_ = conn.Close()
		delete(s.hijacked, conn)
	}
	b.attached = nil
	if !s.down {
		b.log.end()
	}
	s.emit(b, "die")
	close(b.next)
	b.next = make(chan struct{})
}

// signal sends a signal to a container. It returns a channel that is closed at the end
// of this run, and whether the container runs.
func (s *Server) signal(b *box, sig unix.Signal) (<-chan struct{}, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !b.state.Running {
		return b.next, false
	}
	if sig == sigkill {
		b.kill()
	} else {
		select {
		case b.signals <- sig:
		default: // the program does not receive signals
		}
	}
	// moby sends the event after the signal: daemon/kill.go, killWithSignal.
	s.emit(b, "kill", "signal", strconv.Itoa(int(sig)))
	return b.next, true
}

// output is one of a container's streams.
type output struct {
	server *Server
	box    *box
	kind   stdcopy.StdType
}

// Write passes the program's output to the Engine. While the Engine is down, the output
// waits in the pipe.
func (o output) Write(text []byte) (int, error) {
	o.box.writing.Lock()
	defer o.box.writing.Unlock()
	out := piped{o.kind, bytes.Clone(text)}
	if o.box.config.Tty {
		out = piped{stdcopy.Stdout, bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n"))}
	}
	o.server.mu.Lock()
	o.box.pipe = append(o.box.pipe, out)
	o.server.mu.Unlock()
	o.server.pump(o.box)
	return len(text), nil
}

// piped is output that the Engine has not read yet.
type piped struct {
	kind stdcopy.StdType
	text []byte
}

// pump writes a container's output to its log and to attached clients. The caller
// holds the container's writing lock.
func (s *Server) pump(b *box) {
	s.mu.Lock()
	if s.down {
		s.mu.Unlock()
		return
	}
	pipe, conns := b.pipe, slices.Clone(b.attached)
	b.pipe = nil
	log, attached := !s.holdsLog, !s.holdsAttached
	s.mu.Unlock()
	for _, p := range pipe {
		if log {
			b.log.write(p.kind, p.text)
		}
		for _, conn := range conns {
			var to io.Writer = conn
			if !b.config.Tty {
				to = stdcopy.NewStdWriter(conn, p.kind)
			}
			if attached {
				_, _ = to.Write(p.text) // a client that disconnected misses it
			}
		}
	}
}

func (s *Server) serveAttach(w http.ResponseWriter, r *http.Request, b *box) {
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		refuse(w, http.StatusInternalServerError, "%v", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cut > 0 {
		s.cut--
		_ = conn.Close()
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	if b.state.Status == container.StateExited {
		_ = conn.Close()
		return
	}
	s.hijacked[conn] = true
	b.attached = append(b.attached, conn)
	if r.URL.Query().Get("stdin") == "1" && b.config.OpenStdin {
		go b.stdin.copyFrom(buffered, b.config.StdinOnce)
	}
}

// input is a container's standard input.
type input struct {
	reader *io.PipeReader
	writer *io.PipeWriter
}

func newInput() input {
	reader, writer := io.Pipe()
	return input{reader, writer}
}

// copyFrom copies a client's input. Its end is the container's, too, if once is set.
func (i input) copyFrom(client io.Reader, once bool) {
	_, _ = io.Copy(i.writer, client)
	if once {
		_ = i.writer.Close()
	}
}
