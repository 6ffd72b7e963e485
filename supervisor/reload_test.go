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

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// SIGHUP sends the container the signal that it reloads by.
func TestReloadBySignal(t *testing.T) {
	r := newRig(t)
	r.spec.Reload = &spec.Reload{Signal: "HUP"}
	l := r.start()
	l.ready()
	for n := 1; n <= 2; n++ {
		r.signals <- syscall.SIGHUP
		l.until("the reload", func() bool { return r.notify.count("READY running app:1") == 1+n })
		if got := r.notify.count("RELOADING reloading: sending signal HUP to the container"); got != n {
			t.Errorf("systemd heard of %d reloads, want %d:\n%s", got, n, r.notify)
		}
	}
	l.until("the container's word", func() bool { return strings.Contains(r.stderr.String(), "reload 2, by hangup") })
	l.stop()
	l.ends(0, "")
}

// A command is run in the container, and how it fails is told, but for what it
// says of the container's variables.
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

	// Asked for twice more while one goes on, it follows once.
	for range 3 {
		r.signals <- syscall.SIGHUP
	}
	l.until("the reload", func() bool { return r.notify.count("RELOADING") == 2 && len(r.signals) == 0 })
	codes <- 0
	codes <- 0
	l.until("all reloads", func() bool { return r.notify.count("READY") == 4 })
	if n := r.notify.count("RELOADING"); n != 3 {
		t.Errorf("systemd heard of %d reloads, want 3", n)
	}
	if last := l.state().LastError; last != nil {
		t.Errorf("last error = %+v, want none any more", last)
	}
	l.stop()
	l.ends(0, "")
	if strings.Contains(r.notify.String(), "s3cret") {
		t.Errorf("systemd was told a secret:\n%s", r.notify)
	}
}

// A container that tells when it has reloaded is waited for.
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
		t.Errorf("the reload counts as done before the container said so:\n%s", r.notify)
	}
	app.states <- "READY=1"
	l.until("the end of the reload", func() bool { return r.notify.count("READY") == 2 })
	l.stop()
	l.ends(0, "")
}

// What nothing is set up for is ignored, and passed on where that was asked
// for.
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
			r.signals <- syscall.SIGUSR1 // before there is a container: it is not told
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
				t.Errorf("the container got %v, want only what was passed on", last)
			}
			// To the container's unit, SIGHUP is a reload.
			if reloads := r.notify.count("RELOADING reloading: sending signal SIGHUP"); (reloads == 1) != forward {
				t.Errorf("systemd heard of %d reloads:\n%s", reloads, r.notify)
			}
		})
	}
}

// A container that is not ready cannot reload: to say READY=1 afterwards would
// be a lie.
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
		t.Errorf("systemd heard of a reload:\n%s", r.notify)
	}
}

func TestLastLine(t *testing.T) {
	tests := []struct{ text, want string }{
		{"", ""},
		{"one\ntwo", "two"},
		{"one\ntwo\n\n", "two"},
		{"one\ntwo\nthree\n", "three"},
		{strings.Repeat("x", 5000) + "\n", strings.Repeat("x", 256) + "..."},
		{"a hunter2 b=ok\n", "a *** b=ok"},
	}
	for _, test := range tests {
		var l lastLine
		for _, b := range []byte(test.text) {
			_, _ = l.Write([]byte{b})
		}
		if got := l.String([]string{"PASSWORD=hunter2", "SHORT=ok", "EMPTY="}); got != test.want {
			t.Errorf("last line of %.20q = %q, want %q", test.text, got, test.want)
		}
	}
}
