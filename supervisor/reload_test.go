package supervisor

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// SIGHUP sends the container its reload signal.
func TestReloadBySignal(t *testing.T) {
	r := newRig(t)
	r.spec.Reload = &spec.Reload{Signal: "HUP"}
	l := r.start()
	l.ready()
	for n := 1; n <= 2; n++ {
		r.signals <- syscall.SIGHUP
		l.until("the reload", func() bool { return r.notify.count("READY running app:1") == 1+n })
		if got := r.notify.count("RELOADING reloading: sending signal HUP to the container"); got != n {
			t.Errorf("systemd was sent %d reloads, want %d:\n%s", got, n, r.notify)
		}
	}
	l.until("the container's word", func() bool { return strings.Contains(r.stderr.String(), "reload 2, by hangup") })
	l.stop()
	l.ends(0, "")
}

// The reload command runs in the container. Its failure is shown without the values
// of the container's variables.
func TestReloadByCommand(t *testing.T) {
	r := newRig(t)
	r.spec.Reload = &spec.Reload{Exec: []string{"reload", "s3cret-argument"}}
	r.spec.Config.Env = []string{"PASSWORD=s3cret-canary"}
	image := r.app()
	codes := make(chan int, 8)
	image.Exec = func(_ *enginetest.Process, command []string, out io.Writer) int {
		_, _ = fmt.Fprintf(out, "%s begins\nPASSWORD is s3cret-canary\x1b[0m\n\n", command[0])
		return <-codes
	}
	r.server.AddImage("app:1", image)
	l := r.start()
	l.ready()

	codes <- 3
	r.signals <- syscall.SIGHUP
	const failed = "READY running app:1, but could not reload the container: the command exited with 3: PASSWORD is *** [0m"
	l.until(failed, func() bool { return r.notify.count(failed) == 1 })
	if last := l.state().LastError; last == nil || !strings.Contains(last.Message, "the command exited with 3") || !l.state().Ready {
		t.Errorf("state = %+v, want it ready and the error", l.state())
	}

	// Two more requests during a reload lead to one more.
	for range 3 {
		r.signals <- syscall.SIGHUP
	}
	l.until("the reload", func() bool { return r.notify.count("RELOADING") == 2 && len(r.signals) == 0 })
	codes <- 0
	codes <- 0
	l.until("all reloads", func() bool { return r.notify.count("READY") == 4 })
	if n := r.notify.count("RELOADING"); n != 3 {
		t.Errorf("systemd was sent %d reloads, want 3", n)
	}
	if last := l.state().LastError; last != nil {
		t.Errorf("last error = %+v, want it removed", last)
	}
	l.stop()
	l.ends(0, "")
	if strings.Contains(r.notify.String(), "s3cret") {
		t.Errorf("systemd was sent a secret:\n%s", r.notify)
	}
}

// The reload of a container that reports its end lasts until then.
func TestReloadOfTelling(t *testing.T) {
	r := newRig(t)
	app := newAppSays(r)
	r.spec.Reload = &spec.Reload{Signal: "SIGHUP"}
	l := r.start()
	app.states <- "READY=1"
	l.ready()
	r.signals <- syscall.SIGHUP
	l.until("the signal", func() bool { return strings.Contains(r.stdout.String(), "got SIGHUP") })
	app.states <- "RELOADING=1\nMONOTONIC_USEC=1"
	l.until("that it reloads", func() bool { return r.notify.count("PASS RELOADING=1") == 1 })
	<-time.After(2 * reloadLag)
	if n := r.notify.count("READY"); n != 1 {
		t.Errorf("the reload ended before the container said so:\n%s", r.notify)
	}
	app.states <- "READY=1"
	l.until("the end of the reload", func() bool { return r.notify.count("READY") == 2 })
	l.stop()
	l.ends(0, "")
}

// A signal that nothing is set up for is ignored, or forwarded if that is declared.
func TestSignals(t *testing.T) {
	for _, forward := range []bool{false, true} {
		t.Run(fmt.Sprintf("forward %v", forward), func(t *testing.T) {
			r := newRig(t)
			if forward {
				r.spec.Run = newRun()
				r.spec.Run.ForwardSignals = true
			}
			got := make(chan os.Signal, 8)
			r.program(func(ctx context.Context, p *enginetest.Process) int {
				for {
					select {
					case sig := <-p.Signals:
						got <- sig
						if sig == syscall.SIGTERM {
							return 0
						}
					case <-ctx.Done():
						return 0
					}
				}
			})
			r.signals <- syscall.SIGUSR1 // before the container exists: it is dropped
			l := r.start()
			l.ready()
			l.until("that the earlier one is dropped", func() bool { return len(r.signals) == 0 })
			for _, sig := range []os.Signal{syscall.SIGHUP, syscall.SIGUSR1} {
				r.signals <- sig
				l.until("that it is taken", func() bool { return len(r.signals) == 0 })
				if forward {
					if first := <-got; first != sig {
						t.Errorf("the container got %v, want %v", first, sig)
					}
				}
			}
			l.stop()
			l.ends(0, "")
			if last := <-got; last != syscall.SIGTERM {
				t.Errorf("the container got %v, want only the forwarded signals", last)
			}
			// For a unit that forwards signals, SIGHUP is a reload.
			if reloads := r.notify.count("RELOADING reloading: sending signal SIGHUP"); (reloads == 1) != forward {
				t.Errorf("systemd was sent %d reloads:\n%s", reloads, r.notify)
			}
		})
	}
}

// A container that is not ready cannot reload: READY=1 after the reload would be
// wrong.
func TestReloadOfUnready(t *testing.T) {
	r := newRig(t)
	r.spec.Notify, r.spec.Reload = spec.NotifyHealthy, &spec.Reload{Signal: "HUP"}
	r.command("-ready-after", "1h")
	l := r.start()
	l.until("unready", func() bool { return r.notify.count("STATUS running, waiting") > 0 })
	r.signals <- syscall.SIGHUP
	l.until("that it is taken", func() bool { return len(r.signals) == 0 })
	l.stop()
	l.ends(0, "")
	if n := r.notify.count("RELOADING") + r.notify.count("READY"); n != 0 {
		t.Errorf("systemd was sent a reload:\n%s", r.notify)
	}
}

// SIGCONT has the supervisor write its files again, without a word to systemd or the
// container.
func TestSignalRestoresFiles(t *testing.T) {
	r := newRig(t)
	l := r.start()
	l.ready()
	if err := os.RemoveAll(r.dir.StateDir()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(r.dir.RuntimeDir()); err != nil {
		t.Fatal(err)
	}
	r.signals <- syscall.SIGCONT
	l.until("the files", func() bool { return r.dir.CheckRunning(r.spec.Name, 0) == nil })
	l.stop()
	l.ends(0, "")
}

// A placement that someone has removed is there again when docker restart needs it: after
// the first signal that Docker reports.
func TestDockerRestartFindsPlacement(t *testing.T) {
	r := newRig(t)
	r.spec.Run = newRun()
	r.program(func(_ context.Context, p *enginetest.Process) int {
		for <-p.Signals == unix.SIGHUP {
		}
		return 0
	})
	l := r.start()
	l.ready()
	before, _ := os.ReadDir(r.dir.RuntimeDir())
	if err := os.RemoveAll(r.dir.RuntimeDir()); err != nil {
		t.Fatal(err)
	}
	r.server.Kill("app", unix.SIGHUP)
	l.until("the placement", func() bool {
		placed, _ := os.ReadDir(r.dir.RuntimeDir())
		return len(placed) == len(before) && len(placed) > 0
	})
	l.stop()
	l.ends(0, "")
}
