package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/supervisor/owner"
	"github.com/dockhost/dockhost/supervisor/request"
)

const (
	// maxDatagram is systemd's own limit (systemd: NOTIFY_BUFFER_MAX).
	maxDatagram = 4096
	// maxFiles is how many descriptors one datagram can carry (unix(7), SCM_MAX_FD).
	maxFiles = 253
	// maxPerSecond is how many datagrams are read in a second. A container that
	// sends more fills the socket and then blocks.
	maxPerSecond = 100
	// reloadLag is how long a container may take to say RELOADING=1 after it was
	// asked to reload.
	reloadLag = time.Second
	// maxExtension is how long a container may take to start or to reload, however
	// much time it asks for.
	maxExtension = time.Hour
)

// byApp is the readiness of a container that speaks sd_notify(3). It sends to a
// socket of the supervisor instead of systemd's: systemd ignores processes
// outside the unit's cgroup, and would let the container name another main
// process or store file descriptors.
type byApp struct {
	noHooks

	with surroundings
	conn *net.UnixConn
	path string
	// senders knows which start of the container a message belongs to.
	senders senders
	status  atomic.Pointer[string]
	// showing says that a call that shows the status is on its way.
	showing atomic.Bool
	// reloads gets true when the container begins to reload, and false when it
	// says READY=1.
	reloads chan bool
}

// listenToApp creates the socket, in the directory of the placements: group
// docker may create one there, and others cannot see it.
func listenToApp(with surroundings, dir string) (*byApp, error) {
	fail := func(err error) (*byApp, error) {
		return nil, fmt.Errorf("create the container's notify socket: %w", err)
	}
	if err := makeRuntimeDir(dir); err != nil {
		return fail(err)
	}
	owner.SweepSockets(dir)
	path := filepath.Join(dir, request.SocketPrefix+strconv.Itoa(os.Getpid()))
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return fail(err)
	}
	if err := nameSenders(conn); err != nil {
		return fail(errors.Join(err, conn.Close(), os.Remove(path)))
	}
	// The container's processes may run as any user. On the host the directory
	// keeps other users out.
	if err := os.Chmod(path, 0o666); err != nil { //nolint:gosec // see above
		return fail(errors.Join(err, conn.Close(), os.Remove(path)))
	}
	return &byApp{with: with, conn: conn, path: path, senders: senders{root: with.root}, reloads: make(chan bool, 8)}, nil
}

func (a *byApp) socket() string { return a.path }

func (a *byApp) close() {
	_ = a.conn.Close()
	_ = os.Remove(a.path)
}

func (a *byApp) waitsFor() string {
	if text := a.says(); text != "" {
		return "it to say that it is ready: " + text
	}
	return "it to say that it is ready"
}

func (a *byApp) says() string {
	if text := a.status.Load(); text != nil {
		return *text
	}
	return ""
}

func (a *byApp) watch(ctx context.Context, _ string, first *process) {
	a.status.Store(nil)
	run, early, restarted := a.senders.begin(first)
	if restarted {
		go a.take(ctx, early, run) // it waits for the caller's goroutine
		return
	}
	context.AfterFunc(ctx, func() { _ = a.conn.Close() })
	go a.read(ctx)
}

// read takes the container's messages until the socket is closed.
func (a *byApp) read(ctx context.Context) {
	data, control := make([]byte, maxDatagram), make([]byte, unix.CmsgSpace(4*maxFiles)+unix.CmsgSpace(unix.SizeofUcred))
	second, count := time.Now(), 0
	for {
		n, c, flags, _, err := a.conn.ReadMsgUnix(data, control)
		if err != nil {
			return
		}
		// This ends the wait of a sender of BARRIER=1: its earlier messages were
		// taken.
		sender := closeFiles(control[:c])
		if flags&unix.MSG_TRUNC == 0 {
			m := parseMessage(string(data[:n]))
			if run := a.senders.receive(m, sender); run != nil {
				a.take(ctx, m, run)
			}
		}
		if time.Since(second) > time.Second {
			second, count = time.Now(), 0
		}
		if count++; count > maxPerSecond {
			pause(ctx, time.Second-time.Since(second))
		}
	}
}

// closeFiles closes the descriptors that came with a datagram, and returns the pid of
// its sender, 0 if it is unknown.
func closeFiles(control []byte) (sender int) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0
	}
	for _, message := range messages {
		if credentials, err := unix.ParseUnixCredentials(&message); err == nil {
			sender = int(credentials.Pid)
		}
		files, err := unix.ParseUnixRights(&message)
		if err != nil {
			continue
		}
		for _, file := range files {
			_ = unix.Close(file)
		}
	}
	return sender
}

// take acts on one message of a start. The first READY=1 waits until the state is
// written; nothing else blocks the reader of the socket.
func (a *byApp) take(ctx context.Context, m message, run *start) {
	if m.status != nil {
		a.status.Store(m.status)
	}
	if m.ready && run.isReady.CompareAndSwap(false, true) {
		a.with.inbox.do(ctx, func() {
			if a.senders.isLatest(run) {
				a.with.readyNow() // shows the status, too
			}
		})
	} else {
		if m.ready {
			m.pass = append(m.pass, "READY=1") // the end of a reload
		}
		if m.status != nil {
			a.showLater(ctx)
		}
	}
	a.bound(&m, run)
	if m.watchdog > 0 {
		a.with.watchdog.asked.Store(int64(m.watchdog))
	}
	if len(m.pass) > 0 {
		a.with.report.notify.Pass(m.pass...)
	}
	if m.stopping && run.isStopping.CompareAndSwap(false, true) {
		go a.awaitEnd(ctx, run)
	}
	if m.reloading {
		a.tellReload(true)
	}
	if m.ready {
		a.tellReload(false)
	}
}

// bound passes the container's wish for more time on: while it starts or reloads, and
// not without end. Never while it stops: systemd would wait for a unit that someone
// has stopped.
func (a *byApp) bound(m *message, run *start) {
	if m.reloading {
		run.moreTime.begin()
	}
	if m.extend > 0 && !m.stopping && !run.isStopping.Load() && !a.with.inbox.stopRequested() {
		if granted := run.moreTime.grant(m.extend); granted > 0 {
			m.pass = append(m.pass, assign("EXTEND_TIMEOUT_USEC", granted))
		}
	}
	if m.ready {
		run.moreTime.end()
	}
}

// awaitEnd gives a container that says that it stops its grace period to end. Then it
// is stopped, and the unit fails.
func (a *byApp) awaitEnd(ctx context.Context, run *start) {
	a.with.log.Info("the container says that it stops")
	grace := a.with.grace(ctx)
	if grace < 0 {
		return // the declaration gives it all the time
	}
	pause(ctx, grace)
	a.with.inbox.do(ctx, func() {
		if a.senders.isLatest(run) {
			a.with.inbox.endContainer(fmt.Errorf("container said that it stops (STOPPING=1), and did not end within %s", grace))
		}
	})
}

// showLater shows the container's status without a wait: its next message may be
// a sign of life, and Docker may be away.
func (a *byApp) showLater(ctx context.Context) {
	if a.showing.CompareAndSwap(false, true) {
		go a.with.inbox.do(ctx, func() {
			a.showing.Store(false)
			a.with.report.showSaid()
		})
	}
}

// tellReload tells a reload that waits about the begin or the end.
func (a *byApp) tellReload(begins bool) {
	select {
	case a.reloads <- begins:
	default: // no reload waits
	}
}

// reloading returns a wait for the container's READY=1, or for reloadLag if it
// does not say RELOADING=1 by then.
func (a *byApp) reloading() func(ctx context.Context) {
	for len(a.reloads) > 0 {
		<-a.reloads
	}
	return func(ctx context.Context) {
		lag := time.NewTimer(reloadLag)
		defer lag.Stop()
		for {
			select {
			case begins := <-a.reloads:
				if !begins {
					return
				}
				lag.Stop()
			case <-lag.C:
				return
			case <-ctx.Done():
				return
			}
		}
	}
}
