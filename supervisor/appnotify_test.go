package supervisor

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// appSays is a program that sends each of states to its notify socket, and sends
// the configuration that it was created with.
type appSays struct {
	states     chan string
	config     chan *container.Config
	hostConfig chan *container.HostConfig
}

func newAppSays(r *rig) *appSays {
	a := &appSays{states: make(chan string), config: make(chan *container.Config, 1), hostConfig: make(chan *container.HostConfig, 1)}
	r.spec.Notify = spec.NotifyContainer
	r.program(func(ctx context.Context, p *enginetest.Process) int {
		a.config <- p.Config
		a.hostConfig <- p.HostConfig
		socket := p.HostConfig.Mounts[len(p.HostConfig.Mounts)-1].Source
		for {
			select {
			case state := <-a.states:
				if err := send(socket, state); err != nil {
					_, _ = p.Stderr.Write([]byte(err.Error()))
				}
			case sig := <-p.Signals:
				if sig != unix.SIGHUP {
					return 0
				}
				_, _ = p.Stdout.Write([]byte("got SIGHUP\n"))
			case <-ctx.Done():
				return 0
			}
		}
	})
	return a
}

func send(socket, state string) error {
	conn, err := net.Dial("unixgram", socket)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Write([]byte(state))
	return err
}

// A container that speaks sd_notify is ready when it says so, and its other
// messages reach systemd.
func TestNotifyContainer(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	r.units.timeoutStart, r.watchdog = 90*time.Second, 30*time.Second
	r.spec.Config.Env = []string{"A=b", "NOTIFY_SOCKET=/elsewhere", "WATCHDOG_PID=1"}
	r.spec.HostConfig.Mounts = []mount.Mount{{Type: mount.TypeTmpfs, Target: "/t"}}
	l := r.start()
	l.until("the unit's whole start timeout", func() bool { return r.notify.count("EXTEND 1m30s") == 1 })
	host := <-app.hostConfig
	if env, want := (<-app.config).Env, []string{"A=b", "NOTIFY_SOCKET=/run/dockhost/notify.sock", "WATCHDOG_USEC=30000000"}; !slices.Equal(env, want) {
		t.Errorf("env = %q, want %q", env, want)
	}
	if len(host.Mounts) != 2 || host.Mounts[1].Target != "/run/dockhost/notify.sock" || len(r.spec.HostConfig.Mounts) != 1 {
		t.Errorf("mounts = %+v, want the socket besides the declared mount", host.Mounts)
	}
	socket := host.Mounts[1].Source
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o666 || filepath.Dir(socket) != r.dir.RuntimeDir() {
		t.Errorf("socket %s = %v, %v, want it writable for any user of the container", socket, info, err)
	}

	app.states <- "STATUS=warming up\nMAINPID=1"
	l.until("its status", func() bool {
		return r.notify.count("STATUS running, waiting for it to say that it is ready: warming up") > 0
	})
	app.states <- "EXTEND_TIMEOUT_USEC=5000000"
	l.until("more time", func() bool { return r.notify.count("PASS EXTEND_TIMEOUT_USEC=5000000") == 1 })
	if l.state().Ready || r.notify.count("READY") != 0 {
		t.Errorf("the container counts as ready before it said so:\n%s", r.notify)
	}
	app.states <- "READY=1\nSTATUS=serving\nWATCHDOG=1"
	l.until("READY=1", func() bool { return r.notify.count("READY running app:1: serving") == 1 })
	l.until("all that came with it", func() bool { return r.notify.count("PASS WATCHDOG=1") == 1 })
	app.states <- "STATUS=busy"
	l.until("its status", func() bool { return r.notify.count("STATUS running app:1: busy") == 1 })
	app.states <- "RELOADING=1\nMONOTONIC_USEC=7"
	app.states <- "READY=1"
	l.until("its reload", func() bool {
		return r.notify.count("PASS RELOADING=1 MONOTONIC_USEC=7") == 1 && r.notify.count("PASS READY=1") == 1
	})
	app.states <- "STOPPING=1\nERRNO=5"
	l.until("that it stops", func() bool { return r.notify.count("PASS ERRNO=5") == 1 })
	if n := r.notify.count("WATCHDOG"); n != 0 {
		t.Errorf("the supervisor fed the watchdog %d times on its own", n)
	}
	l.stop()
	l.ends(0, "")
	if strings.Contains(r.notify.String(), "MAINPID") {
		t.Errorf("systemd was sent another main process:\n%s", r.notify)
	}
}

// A container that only says that it stops is stopped after its grace period, and the
// unit fails, so that systemd starts it again. Until then the unit can be stopped as
// any other: systemd knows nothing of STOPPING=1, and nothing gives the container more
// time.
func TestNotifyStopping(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	r.spec.Config.StopTimeout = new(1)
	l := r.start()
	app.states <- "READY=1"
	l.ready()
	app.states <- "STOPPING=1\nEXTEND_TIMEOUT_USEC=600000000\nSTATUS=goodbye"
	app.states <- "EXTEND_TIMEOUT_USEC=600000000"
	l.ends(1, "said that it stops (STOPPING=1), and did not end within 1s")
	if text := r.notify.String(); strings.Contains(text, "EXTEND_TIMEOUT_USEC") || strings.Contains(text, "PASS STOPPING") {
		t.Errorf("systemd was sent what delays a stop:\n%s", text)
	}
}

// A container gets more time while it starts or reloads, and not without end.
func TestMoreTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m moreTime
		grants := func(asked, want time.Duration) {
			t.Helper()
			if got := m.grant(asked); got != want {
				t.Errorf("grant(%s) = %s, want %s", asked, got, want)
			}
		}
		grants(time.Minute, 0) // it does neither
		m.begin()
		grants(time.Minute, time.Minute)
		time.Sleep(maxExtension - time.Second)
		grants(time.Minute, time.Second)
		time.Sleep(time.Second)
		grants(time.Minute, 0)
		m.begin()
		m.end()
		grants(time.Minute, 0)
	})
}

// A container can become ready while Docker is away.
func TestNotifyWhileDockerIsAway(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	l := r.start()
	l.until("that it runs", func() bool { return r.notify.count("STATUS running, waiting") > 0 })
	r.server.Down()
	l.until("that Docker is away", func() bool { return r.notify.count("STATUS running, but Docker does not answer") > 0 })
	app.states <- "READY=1"
	l.ready()
	r.server.Up()
	l.until("that all is well", func() bool {
		return lastOf(r.notify.all()) == "STATUS running app:1"
	})
	l.stop()
	l.ends(0, "")
}

// A barrier is passed when all earlier messages were taken, and file descriptors
// are not kept.
func TestNotifyBarrier(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	l := r.start()
	<-app.config
	socket := (<-app.hostConfig).Mounts[0].Source
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	to := &net.UnixAddr{Name: socket, Net: "unixgram"}
	files := make([]int, 200)
	for i := range files {
		files[i] = int(write.Fd())
	}
	for state, rights := range map[string][]byte{"READY=1": nil, "BARRIER=1\nFDSTORE=1": unix.UnixRights(files...)} {
		if _, _, err := conn.WriteMsgUnix([]byte(state), rights, to); err != nil {
			t.Fatal(err)
		}
	}
	// A message that is too long is ignored.
	if _, err := conn.WriteToUnix([]byte("STATUS="+strings.Repeat("x", maxDatagram)), to); err != nil {
		t.Fatal(err)
	}
	write.Close()
	if err := read.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := read.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("reading the barrier = %v, want its end", err)
	}
	l.ready()
	l.stop()
	l.ends(0, "")
	if strings.Contains(r.notify.String(), "xxx") {
		t.Errorf("systemd was sent a truncated message")
	}
}

// A supervisor removes the sockets of killed supervisors, and keeps the sockets of
// running ones.
func TestStaleSockets(t *testing.T) {
	r := newRig(t)
	dir := r.dir.RuntimeDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	bind := func(name string) (string, *net.UnixConn) {
		path := filepath.Join(dir, name)
		conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		return path, conn
	}
	stale, dead := bind("notify-1")
	own, self := bind("notify-" + strconv.Itoa(os.Getpid()))
	taken, alive := bind("notify-2")
	defer alive.Close()
	dead.Close()
	self.Close()
	app := newAppSays(r)
	l := r.start()
	<-app.config
	if _, err := os.Lstat(stale); err == nil {
		t.Errorf("%s still exists", stale)
	}
	if _, err := os.Lstat(taken); err != nil {
		t.Errorf("%s was removed: %v", taken, err)
	}
	if got := (<-app.hostConfig).Mounts[0].Source; got != own {
		t.Errorf("the socket is %s, want %s", got, own)
	}
	app.states <- "READY=1"
	l.ready()
	l.stop()
	l.exits(0, "")
	if _, err := os.Lstat(own); err == nil {
		t.Errorf("%s still exists", own)
	}
}

// A container that sends without end is slowed down, and its messages are still
// taken.
func TestNotifyFlood(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	l := r.start()
	<-app.config
	<-app.hostConfig
	began := time.Now()
	for range 2*maxPerSecond + 50 {
		app.states <- "WATCHDOG=1"
	}
	app.states <- "READY=1"
	l.ready()
	if took := time.Since(began); took < time.Second {
		t.Errorf("%d messages were taken in %s", 2*maxPerSecond, took)
	}
	l.stop()
	l.ends(0, "")
}
