package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/rundir"
)

// failed says that the container web failed for something that a cure may change, and
// what its supervisor does now.
func (h *testHost) failed(hash, phase string, nextTry time.Time, cures ...cure.Cure) {
	h.Helper()
	h.writeState(rundir.State{
		Phase: phase, ConfigHash: hash, NextTry: nextTry,
		LastError: &rundir.Failure{At: time.Now(), Message: "it failed", ConfigHash: hash, Cures: cures},
	})
}

// step looks at the failures once, as [cures.run] does.
func (c *cures) step(ctx context.Context) <-chan time.Time {
	c.refresh()
	return c.treat(ctx)
}

func TestCuredUnitIsTriedAgain(t *testing.T) {
	file := cure.Cure{Kind: cure.File, Name: "/etc/app.env"}
	network := cure.Cure{Kind: cure.Network}
	for _, test := range []struct {
		name   string
		fail   func(h *testHost, hash string)
		change func(h *testHost, a *Agent)
		tries  int
	}{
		{"nothing changes", func(h *testHost, hash string) { h.failed(hash, "ended", time.Time{}, file, network) }, func(*testHost, *Agent) {}, 1},
		{
			"the file appears", func(h *testHost, hash string) { h.failed(hash, "ended", time.Time{}, file) },
			func(h *testHost, _ *Agent) { h.write("/etc/app.env", "A=b\n") }, 2,
		},
		{
			"the resolver changes while the supervisor waits", func(h *testHost, hash string) { h.failed(hash, "pulling", time.Now().Add(time.Minute), network) },
			func(h *testHost, _ *Agent) { h.write("/etc/resolv.conf", "nameserver 192.0.2.1\n") }, 2,
		},
		{
			"the resolver changes during a try", func(h *testHost, hash string) { h.failed(hash, "pulling", time.Time{}, network) },
			func(h *testHost, _ *Agent) { h.write("/etc/resolv.conf", "nameserver 192.0.2.1\n") }, 1,
		},
		{
			"Docker reports a network", func(h *testHost, hash string) {
				h.failed(hash, "ended", time.Time{}, cure.Cure{Kind: cure.Docker, Name: "network"})
			},
			func(_ *testHost, a *Agent) { a.cures.senses.note(engine.Change{Kind: "network", At: time.Now()}) }, 2,
		},
		{
			"Docker reports something else", func(h *testHost, hash string) {
				h.failed(hash, "ended", time.Time{}, cure.Cure{Kind: cure.Docker, Name: "network"})
			},
			func(_ *testHost, a *Agent) { a.cures.senses.note(engine.Change{Kind: "volume", At: time.Now()}) }, 1,
		},
		{
			"someone has stopped the unit", func(h *testHost, hash string) { h.failed(hash, "ended", time.Time{}, file) },
			func(h *testHost, _ *Agent) {
				_ = h.units.BeginStop(h.Context(), "dockhost@web.service")
				h.write("/etc/app.env", "A=b\n")
			}, 1,
		},
		{
			"an error that nothing cures", func(h *testHost, hash string) { h.failed(hash, "ended", time.Time{}) },
			func(h *testHost, _ *Agent) { h.write("/etc/app.env", "A=b\n") }, 1,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			a := h.agent()
			c := local("web", "nginx:1")
			h.declare(a, c)
			test.fail(h, c.Hash())
			a.cures.step(t.Context())
			test.change(h, a)
			a.cures.step(t.Context())
			a.cures.step(t.Context())
			if got := h.units.starts["dockhost@web.service"]; got != test.tries {
				t.Errorf("starts = %d, want %d", got, test.tries)
			}
		})
	}
}

// A unit that is being stopped by the time that something is cured stays so, and so does one
// whose container was forgotten meanwhile.
func TestCureEndsNoStop(t *testing.T) {
	for name, stop := range map[string]func(h *testHost, a *Agent){
		"systemctl stop": func(h *testHost, _ *Agent) {
			h.units.asked = func() { h.units.stopping[webUnit] = time.Now() }
		},
		"dockhostctl rm": func(h *testHost, a *Agent) {
			if err := a.request(h.Context(), change{name: "web"}); err != nil {
				h.Fatal(err)
			}
			h.units.failed[webUnit] = true // as after a stop that had to kill
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newTestHost(t)
			a := h.agent()
			c := local("web", "nginx:1")
			h.declare(a, c)
			h.failed(c.Hash(), "ended", time.Time{}, cure.Cure{Kind: cure.File, Name: "/etc/app.env"})
			a.cures.step(t.Context())
			h.write("/etc/app.env", "A=b\n")
			a.cures.refresh()
			stop(h, a)
			a.cures.treat(t.Context())
			h.wantStarts(1, name)
		})
	}
}

// A file that changed between the failure and the first look is a cure. What changes
// again and again has the unit tried again once in a while.
func TestCuresAreBounded(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	c := local("web", "nginx:1")
	h.declare(a, c)
	file := cure.Cure{Kind: cure.File, Name: "/etc/app.env"}
	h.failed(c.Hash(), "ended", time.Time{}, file)
	h.write("/etc/app.env", "A=b\n")
	a.cures.step(t.Context())
	if got := h.units.starts["dockhost@web.service"]; got != 2 {
		t.Errorf("starts = %d, want 2: the file is there by now", got)
	}
	h.failed(c.Hash(), "ended", time.Time{}, file)
	a.cures.step(t.Context())
	h.write("/etc/app.env", "A=bc\n")
	if next := a.cures.step(t.Context()); next == nil || h.units.starts["dockhost@web.service"] != 2 {
		t.Errorf("starts = %d, want 2, and another later", h.units.starts["dockhost@web.service"])
	}
	a.cures.retried["unit web"] = time.Now().Add(-curePause)
	a.cures.step(t.Context())
	if got := h.units.starts["dockhost@web.service"]; got != 3 {
		t.Errorf("starts = %d, want 3 after the pause", got)
	}
}

// What Docker reports between a failure and the first look at it may be the cure, unlike
// what it reported before.
func TestChangeOfDockerBeforeTheFirstLook(t *testing.T) {
	for offset, tries := range map[time.Duration]int{-time.Millisecond: 1, time.Millisecond: 2} {
		h := newTestHost(t)
		a := h.agent()
		c := local("web", "nginx:1")
		h.declare(a, c)
		failed := time.Now()
		h.writeState(rundir.State{Phase: "ended", ConfigHash: c.Hash(), LastError: &rundir.Failure{
			At: failed, Message: "the name is taken", ConfigHash: c.Hash(), Cures: []cure.Cure{{Kind: cure.Docker, Name: "container"}},
		}})
		a.cures.senses.note(engine.Change{Kind: "container", At: failed.Add(offset)})
		a.cures.step(t.Context())
		if got := h.units.starts["dockhost@web.service"]; got != tries {
			t.Errorf("a change %s after the failure: starts = %d, want %d", offset, got, tries)
		}
	}
}

// A network that changes between a failure and the first look at it is a cure, as far as
// that can be known.
func TestNetworkBeforeTheFirstLook(t *testing.T) {
	network := cure.Cure{Kind: cure.Network}
	h := newTestHost(t)
	a := h.agent()
	c := local("web", "nginx:1")
	h.declare(a, c)
	starts := func() int { return h.units.starts["dockhost@web.service"] }
	h.failed(c.Hash(), "ended", time.Time{}, network)
	h.write("/etc/resolv.conf", "nameserver 192.0.2.1\n")
	a.cures.step(t.Context())
	if starts() != 2 {
		t.Errorf("starts = %d, want 2: the resolver has changed since", starts())
	}
	for range 2 { // the same network
		h.failed(c.Hash(), "ended", time.Time{}, network)
		a.cures.retried["unit web"] = time.Now().Add(-curePause)
		a.cures.step(t.Context())
	}
	if starts() != 2 {
		t.Errorf("starts = %d, want 2: nothing has changed", starts())
	}
	for one := range a.cures.failures["unit web"].seen {
		a.cures.failures["unit web"].seen[one] = "another address"
	}
	h.failed(c.Hash(), "ended", time.Time{}, network)
	a.cures.step(t.Context())
	if starts() != 3 {
		t.Errorf("starts = %d, want 3: the address has changed since the last failure", starts())
	}
}

// A rollout whose port is taken is tried again once the port is free.
func TestCuredRolloutIsTriedAgain(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := newTestHost(t)
	a := h.agent()
	port := fmt.Sprintf("127.0.0.1:%d/tcp", taken.Addr().(*net.TCPAddr).Port)
	cured, done := a.cures.await("web", cure.By(errors.New("in use"), cure.Cure{Kind: cure.Port, Name: port}))
	defer done()
	a.cures.step(t.Context())
	select {
	case <-cured:
		t.Error("tried again while the port is taken")
	default:
	}
	if err := taken.Close(); err != nil {
		t.Fatal(err)
	}
	a.cures.step(t.Context())
	select {
	case <-cured:
	default:
		t.Error("not tried again, and the port is free")
	}
}

// The agent notices by itself that a file appears, and that a process ends that listens on
// a port.
func TestCuresAreNoticed(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	c := local("web", "nginx:1")
	h.declare(a, c)
	h.failed(c.Hash(), "ended", time.Time{}, cure.Cure{Kind: cure.File, Name: "/srv/app/env"})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); a.cures.run(ctx) }()
	defer func() { cancel(); <-ended }()
	time.AfterFunc(200*time.Millisecond, func() { h.write("/srv/app/env", "A=b\n") })
	for deadline := time.Now().Add(30 * time.Second); h.units.running()["web"] != 2; {
		if time.Now().After(deadline) {
			t.Fatalf("running = %v, want web started again", h.units.running())
		}
		time.Sleep(20 * time.Millisecond)
	}

	holder := exec.CommandContext(ctx, "sleep", "600")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	gone := make(chan struct{})
	go awaitEnd(ctx, holder.Process.Pid, func() { close(gone) })
	select {
	case <-gone:
		t.Error("the process that runs was reported as ended")
	case <-time.After(50 * time.Millisecond):
	}
	_ = holder.Process.Kill()
	_ = holder.Wait()
	select {
	case <-gone:
	case <-time.After(30 * time.Second):
		t.Error("the end of the process was not noticed")
	}
}

// While nothing has failed, nothing is watched.
func TestSensesRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		a := h.agent()
		ctx, cancel := context.WithCancel(t.Context())
		h.declare(a, local("web", "nginx:1"))
		go a.cures.run(ctx)
		synctest.Wait()
		if watched := a.cures.senses.attended; watched != "" && watched != fmt.Sprint([]string(nil), []string(nil), false, false, 0) {
			t.Errorf("watched without a failure: %s", watched)
		}
		cancel()
		synctest.Wait()
	})
}

// The end of a process that listens on a port is noticed.
func TestHolders(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr)
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "proc/net"), 0o755); err != nil {
		t.Fatal(err)
	}
	table := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
		fmt.Sprintf("   0: 0100007F:%04X 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1\n", port.Port) +
		fmt.Sprintf("   1: 0100007F:%04X 0100007F:1000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1\n", port.Port)
	if err := os.WriteFile(filepath.Join(root, "proc/net/tcp"), []byte(table), 0o600); err != nil {
		t.Fatal(err)
	}
	for pid, socket := range map[string]string{"42": "socket:[4711]", "43": "socket:[4712]"} {
		dir := filepath.Join(root, "proc", pid, "fd")
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.Symlink(socket, filepath.Join(dir, "3"))); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "proc/net/tcp6")); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	parsed, err := engine.ParsePort(fmt.Sprintf("127.0.0.1:%d/tcp", port.Port))
	if err != nil {
		t.Fatal(err)
	}
	if pids := holders(root, parsed); len(pids) != 1 || pids[0] != 42 {
		t.Errorf("holders() = %v, want 42, which listens", pids)
	}
}
