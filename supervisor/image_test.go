package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

const refused = `Head "https://localhost:5000/v2/app/manifests/1": dial tcp 127.0.0.1:5000: connect: connection refused`

func TestPullPolicy(t *testing.T) {
	tests := []struct {
		name   string
		policy spec.PullPolicy
		// newer says that the registry has another image, which ends with 7.
		newer, registryDown bool
		code                int
		cached              bool
	}{
		{name: "missing, and there", policy: spec.PullMissing, newer: true},
		{name: "never, and there", policy: spec.PullNever, newer: true},
		{name: "always, and there is a newer one", policy: spec.PullAlways, newer: true, code: 7},
		{name: "always, and the registry is down", policy: spec.PullAlways, newer: true, registryDown: true, cached: true},
		{name: "missing, and the registry is down", policy: spec.PullMissing, newer: true, registryDown: true},
		{name: "always, and gone from the registry", policy: spec.PullAlways, cached: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.spec.PullPolicy = test.policy
			r.command("-exit-after", "10ms")
			if test.newer {
				newer := r.app()
				newer.Run = untilSIGTERM(7)
				r.server.Publish("app:1", newer)
			}
			if test.registryDown {
				r.server.FailPulls(refused)
			}
			r.program(untilSIGTERM(0))
			l := r.start()
			l.ready()
			l.until("the phase", func() bool { return l.state().Phase == string(phaseRunning) })
			state := l.state()
			if state.Cached != test.cached || (state.LastError != nil) != test.cached {
				t.Errorf("state = %+v with last error %+v, want cached: %v, and why", state, state.LastError, test.cached)
			}
			if got := strings.Contains(r.notify.String(), "READY running app:1 (cached"); got != test.cached {
				t.Errorf("systemd was told, want cached: %v:\n%s", test.cached, r.notify)
			}
			r.server.Kill("app", 15)
			<-l.done
			if l.code != test.code {
				t.Errorf("Run() = %d, %v, want %d of the right image", l.code, l.err, test.code)
			}
		})
	}
}

// A pull that fails is tried again, and the reason is told until it succeeds.
func TestPullRetried(t *testing.T) {
	r := newRig(t)
	r.spec.Image, r.spec.Config.Image = "app:2", "app:2"
	r.server.Publish("app:2", r.app())
	r.server.FailPulls(refused)
	l := r.start()
	l.until("the reason", func() bool {
		last := l.state().LastError
		return last != nil && strings.Contains(last.Message, "connection refused") && r.notify.count("STATUS next try in ") > 0
	})
	if r.notify.count("EXTEND 3") == 0 {
		t.Errorf("systemd was told, want the start timeout pushed out for the wait:\n%s", r.notify)
	}
	r.server.FailPulls("")
	l.ready()
	l.until("no error any more", func() bool { return l.state().LastError == nil })
	l.stop()
	l.ends(0, "")
}

// A pull that stalls counts as one that failed.
func TestPullStalls(t *testing.T) {
	r := newRig(t)
	r.spec.Image, r.spec.PullStallTimeout = "stalling", 50*time.Millisecond
	r.server.Publish("stalling", enginetest.Image{Stalling: true})
	l := r.start()
	l.until("the reason", func() bool {
		last := l.state().LastError
		return last != nil && strings.Contains(last.Message, "no byte arrived for 50ms")
	})
	l.stop()
	l.ends(0, "")
}

// The supervisor waits for Docker, and says so.
func TestAwaitEngine(t *testing.T) {
	r := newRig(t)
	r.server.Down()
	l := r.start()
	l.until("what it waits for", func() bool {
		last := l.state().LastError
		return last != nil && strings.Contains(last.Message, "is docker.service running?") && r.notify.count("STATUS waiting for Docker at unix://") > 0
	})
	r.server.Up()
	l.ready()
	l.until("no error any more", func() bool { return l.state().LastError == nil })
	l.stop()
	l.ends(0, "")
}
