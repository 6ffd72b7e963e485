package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd"
)

const (
	// maxDatagram is what systemd itself takes (systemd: NOTIFY_BUFFER_MAX).
	maxDatagram = 4096
	// maxFiles is what a datagram can bring along (unix(7), SCM_MAX_FD).
	maxFiles = 253
	// maxPerSecond is how many datagrams are read in a second. What a container
	// sends beyond that waits in the socket, and then the container does.
	maxPerSecond = 100
	// reloadLag is how long after it was told a container may begin to reload.
	reloadLag = time.Second
)

// byApp is the readiness of a container that speaks sd_notify(3) itself. It
// speaks to a socket of the supervisor's and not to systemd's, which takes
// nothing from a process outside of the unit's control group, and which would
// let the container name another main process or keep files open.
type byApp struct {
	common

	s       *Supervisor
	conn    *net.UnixConn
	path    string
	reading bool
	// isReady says that the container said READY=1 since its start.
	isReady atomic.Bool
	status  atomic.Pointer[string]
	// saying says that the status is about to be shown.
	saying atomic.Bool
	// reloads gets what the container says of a reload: true when it begins,
	// false when it has ended.
	reloads chan bool
}

// listenToApp makes the socket, in a directory where members of group docker
// may make one, and others see none.
func (s *Supervisor) listenToApp() (*byApp, error) {
	dir := s.Dir.RuntimeDir()
	if err := os.MkdirAll(dir, 0o770); err != nil { //nolint:gosec // group docker may speak to Docker already
		return nil, fmt.Errorf("make the container's notify socket: %w", err)
	}
	removeStaleSockets(dir)
	path := filepath.Join(dir, request.SocketPrefix+strconv.Itoa(os.Getpid()))
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("make the container's notify socket: %w", err)
	}
	// Whoever the container's processes run as. On the host the directory is
	// what keeps others out.
	if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // see above
		return nil, errors.Join(fmt.Errorf("make the container's notify socket: %w", err), conn.Close(), os.Remove(path))
	}
	return &byApp{s: s, conn: conn, path: path, reloads: make(chan bool, 8)}, nil
}

// removeStaleSockets removes what supervisors left that were killed: sockets
// that nobody listens at.
func removeStaleSockets(dir string) {
	left, err := filepath.Glob(filepath.Join(dir, request.SocketPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range left {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
		if errors.Is(err, unix.ECONNREFUSED) {
			_ = os.Remove(path)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
}

func (a *byApp) socket() string { return a.path }

func (a *byApp) close() {
	_ = a.conn.Close()
	_ = os.Remove(a.path)
}

func (a *byApp) waitsFor() string {
	if said := a.says(); said != "" {
		return "it to say that it is ready: " + said
	}
	return "it to say that it is ready"
}

func (a *byApp) says() string {
	if said := a.status.Load(); said != nil {
		return *said
	}
	return ""
}

func (a *byApp) watch(ctx context.Context, _ string, _ int) {
	a.isReady.Store(false)
	if a.reading {
		return // Docker has started the container again
	}
	a.reading = true
	context.AfterFunc(ctx, func() { _ = a.conn.Close() })
	go a.read(ctx)
}

// read takes what the container says, until the socket is closed.
func (a *byApp) read(ctx context.Context) {
	data, control := make([]byte, maxDatagram), make([]byte, unix.CmsgSpace(4*maxFiles))
	second, count := time.Now(), 0
	for {
		n, c, flags, _, err := a.conn.ReadMsgUnix(data, control)
		if err != nil {
			return
		}
		// Whoever sent BARRIER=1 waits for this: all before it was taken.
		closeFiles(control[:c])
		if flags&unix.MSG_TRUNC == 0 {
			a.take(ctx, parseMessage(string(data[:n])))
		}
		if time.Since(second) > time.Second {
			second, count = time.Now(), 0
		}
		if count++; count > maxPerSecond {
			a.s.pause(ctx, time.Second-time.Since(second))
		}
	}
}

// closeFiles closes what came along with a datagram.
func closeFiles(control []byte) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return
	}
	for _, message := range messages {
		files, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, file := range files {
			_ = unix.Close(file)
		}
	}
}

// message is what a container said, as far as it is anybody's business.
type message struct {
	ready, reloading bool
	// status is nil when it said nothing of it.
	status *string
	// pass is for systemd as it is.
	pass []string
}

// parseMessage reads the assignments of sd_notify(3). MAINPID=, FDSTORE= and
// whatever else would have systemd take the container's word for the
// supervisor's is left out.
func parseMessage(text string) message {
	var m message
	monotonic := ""
	for line := range strings.SplitSeq(text, "\n") {
		name, value, _ := strings.Cut(line, "=")
		switch name {
		case "READY":
			m.ready = m.ready || value == "1"
		case "RELOADING":
			m.reloading = m.reloading || value == "1"
		case "MONOTONIC_USEC":
			if isNumber(value) {
				monotonic = line
			}
		case "STATUS":
			status := clean(value)
			m.status = &status
		case "STOPPING":
			if value == "1" {
				m.pass = append(m.pass, line)
			}
		case "WATCHDOG":
			if value == "1" || value == "trigger" {
				m.pass = append(m.pass, line)
			}
		case "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "ERRNO":
			if isNumber(value) {
				m.pass = append(m.pass, line)
			}
		}
	}
	if m.reloading {
		if monotonic == "" {
			monotonic = systemd.Monotonic()
		}
		m.pass = append(m.pass, "RELOADING=1", monotonic)
	}
	return m
}

func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 63)
	return err == nil
}

// take passes a message on. It waits for nobody but when the container
// becomes ready, which the state must be told of.
func (a *byApp) take(ctx context.Context, m message) {
	if m.status != nil {
		a.status.Store(m.status)
	}
	if m.ready && a.isReady.CompareAndSwap(false, true) {
		a.s.call(ctx, a.s.life.ready)
	} else {
		if m.ready {
			m.pass = append(m.pass, "READY=1")
		}
		if m.status != nil {
			a.sayLater(ctx)
		}
	}
	if len(m.pass) > 0 {
		a.s.Notify.Pass(m.pass...)
	}
	if m.reloading {
		a.tell(true)
	}
	if m.ready {
		a.tell(false)
	}
}

// sayLater has what the container says of itself shown, without a wait: its
// signs of life may be next, and Docker may be away.
func (a *byApp) sayLater(ctx context.Context) {
	if a.saying.CompareAndSwap(false, true) {
		go a.s.call(ctx, func() {
			a.saying.Store(false)
			a.s.sayStatus()
		})
	}
}

func (a *byApp) tell(reloading bool) {
	select {
	case a.reloads <- reloading:
	default: // nobody waits for it
	}
}

// reloading waits for a container that says when it reloads.
func (a *byApp) reloading() func(ctx context.Context) {
	for len(a.reloads) > 0 {
		<-a.reloads
	}
	return func(ctx context.Context) {
		begin := time.NewTimer(reloadLag)
		defer begin.Stop()
		for {
			select {
			case began := <-a.reloads:
				if !began {
					return
				}
				begin.Stop()
			case <-begin.C:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}
