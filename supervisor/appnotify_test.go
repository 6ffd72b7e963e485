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
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

func TestParseMessage(t *testing.T) {
	text := func(s string) *string { return &s }
	tests := []struct {
		text string
		want message
	}{
		{"", message{}},
		{"READY=1", message{ready: true}},
		{"READY=0", message{}},
		{"READY=1\nSTATUS=serving\n", message{ready: true, status: text("serving")}},
		{"STATUS=", message{status: text("")}},
		{"STATUS=a\x1b[2J=b\tc\xff", message{status: text("a [2J=b c�")}},
		{"STATUS=" + strings.Repeat("ä", 300), message{status: text(strings.Repeat("ä", 256) + "...")}},
		{"WATCHDOG=1", message{pass: []string{"WATCHDOG=1"}}},
		{"WATCHDOG=trigger\nWATCHDOG=2", message{pass: []string{"WATCHDOG=trigger"}}},
		{"ERRNO=2\nSTOPPING=1\nEXTEND_TIMEOUT_USEC=5\nWATCHDOG_USEC=7", message{pass: []string{"ERRNO=2", "STOPPING=1", "EXTEND_TIMEOUT_USEC=5", "WATCHDOG_USEC=7"}}},
		{"ERRNO=-2\nEXTEND_TIMEOUT_USEC=x\nSTOPPING=yes", message{}},
		{"RELOADING=1\nMONOTONIC_USEC=123", message{reloading: true, pass: []string{"RELOADING=1", "MONOTONIC_USEC=123"}}},
		{"MAINPID=1\nMAINPIDFDID=2\nFDSTORE=1\nFDNAME=a\nFDPOLL=0\nBARRIER=1\nNOTIFYACCESS=all\nX_OWN=1\nnonsense", message{}},
	}
	for _, test := range tests {
		if diff := cmp.Diff(test.want, parseMessage(test.text), cmp.AllowUnexported(message{})); diff != "" {
			t.Errorf("parseMessage(%q) (-want +got):\n%s", test.text, diff)
		}
	}
	if got := parseMessage("RELOADING=1\nMONOTONIC_USEC=soon").pass; len(got) != 2 || !strings.HasPrefix(got[1], "MONOTONIC_USEC=") || got[1] == "MONOTONIC_USEC=soon" {
		t.Errorf("a reload without its time is passed on as %q, want it with ours", got)
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, text := range []string{"READY=1\nSTATUS=x", "RELOADING=1\nMONOTONIC_USEC=1", "=\n=", "STATUS=\x00\x1b"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := parseMessage(text)
		if m.status != nil && (strings.ContainsFunc(*m.status, func(r rune) bool { return r < ' ' || r == 0x7f }) || len([]rune(*m.status)) > maxText+3) {
			t.Errorf("parseMessage(%q) has status %q", text, *m.status)
		}
		known := []string{"WATCHDOG", "WATCHDOG_USEC", "EXTEND_TIMEOUT_USEC", "ERRNO", "STOPPING", "RELOADING", "MONOTONIC_USEC"}
		for _, line := range m.pass {
			name, _, _ := strings.Cut(line, "=")
			if strings.Contains(line, "\n") || !slices.Contains(known, name) {
				t.Errorf("parseMessage(%q) passes %q on", text, line)
			}
		}
	})
}

// appSays is a program that sends what it is told to its notify socket, the
// first thing at once, and tells what it was made with.
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

// A container that speaks for itself is ready when it says so, and is heard of
// all that concerns systemd.
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
		t.Errorf("mounts = %+v, want the socket beside what was declared", host.Mounts)
	}
	socket := host.Mounts[1].Source
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o666 || filepath.Dir(socket) != r.dir.RuntimeDir() {
		t.Errorf("socket %s = %v, %v, want it open to any user of the container", socket, info, err)
	}

	app.states <- "STATUS=warming up\nMAINPID=1"
	l.until("its status", func() bool {
		return r.notify.count("STATUS running, waiting for it to say that it is ready: warming up") > 0
	})
	app.states <- "EXTEND_TIMEOUT_USEC=5000000"
	l.until("more time", func() bool { return r.notify.count("PASS EXTEND_TIMEOUT_USEC=5000000") == 1 })
	if l.state().Ready || r.notify.count("READY") != 0 {
		t.Errorf("it is ready before it said so:\n%s", r.notify)
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
	l.until("that it stops", func() bool { return r.notify.count("PASS STOPPING=1 ERRNO=5") == 1 })
	if n := r.notify.count("WATCHDOG"); n != 0 {
		t.Errorf("the supervisor said %d times on its own that all is well", n)
	}
	l.stop()
	l.ends(0, "")
	if strings.Contains(r.notify.String(), "MAINPID") {
		t.Errorf("systemd was told of another main process:\n%s", r.notify)
	}
}

// It becomes ready while Docker is away, too.
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
		told := r.notify.all()
		return told[len(told)-1] == "STATUS running app:1"
	})
	l.stop()
	l.ends(0, "")
}

// A barrier is passed when all before it was taken, and files are not kept.
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
	// What is too long to be true says nothing.
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
		t.Errorf("systemd was told what was cut off")
	}
}

// What a supervisor left that was killed is removed by the next one, and what
// another one listens at is not.
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
		t.Errorf("%s is left", stale)
	}
	if _, err := os.Lstat(taken); err != nil {
		t.Errorf("%s is gone: %v", taken, err)
	}
	if got := (<-app.hostConfig).Mounts[0].Source; got != own {
		t.Errorf("the socket is %s, want %s", got, own)
	}
	app.states <- "READY=1"
	l.ready()
	l.stop()
	l.exits(0, "")
	if _, err := os.Lstat(own); err == nil {
		t.Errorf("%s is left", own)
	}
}

// A container that sends without end does not get more of the supervisor than
// its share, and is heard all the same.
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
