package supervisor

import (
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

const refused = `Head "https://localhost:5000/v2/app/manifests/1": dial tcp 127.0.0.1:5000: connect: connection refused`

func TestPullPolicy(t *testing.T) {
	tests := []struct {
		name   string
		policy spec.PullPolicy
		// inRegistry says that the registry has a newer image.
		inRegistry, registryDown bool
		// runs is which image the container is created from.
		runs   string
		cached bool
	}{
		{name: "missing, and there", runs: "there", policy: spec.PullMissing, inRegistry: true},
		{name: "never, and there", runs: "there", policy: spec.PullNever, inRegistry: true},
		{name: "always, and there is a newer one", policy: spec.PullAlways, inRegistry: true, runs: "newer"},
		{name: "always, and the registry is down", runs: "there", policy: spec.PullAlways, inRegistry: true, registryDown: true, cached: true},
		{name: "missing, and the registry is down", runs: "there", policy: spec.PullMissing, inRegistry: true, registryDown: true},
		{name: "always, and gone from the registry", runs: "there", policy: spec.PullAlways, cached: true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.spec.PullPolicy = test.policy
			if test.inRegistry {
				newer := r.app()
				newer.Run = saying("newer")
				r.server.Publish("app:1", newer)
			}
			if test.registryDown {
				r.server.FailPulls(refused)
			}
			r.program(saying("there"))
			l := r.start()
			l.ready()
			l.until("the phase", func() bool { return l.state().Phase == string(phaseRunning) })
			state := l.state()
			if state.Cached != test.cached || (state.LastError != nil) != test.cached {
				t.Errorf("state = %+v with last error %+v, want cached: %v, and why", state, state.LastError, test.cached)
			}
			if got := strings.Contains(r.notify.String(), "READY running app:1 (cached"); got != test.cached {
				t.Errorf("want cached: %v; systemd was sent:\n%s", test.cached, r.notify)
			}
			l.stop()
			l.ends(0, "")
			if got := r.stdout.String(); got != test.runs {
				t.Errorf("the container was created from image %q, want %q", got, test.runs)
			}
		})
	}
}

// A failed pull is retried, and its error is shown until a pull succeeds.
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
		t.Errorf("the start timeout was not extended for the wait:\n%s", r.notify)
	}
	r.server.FailPulls("")
	l.ready()
	l.until("no error any more", func() bool { return l.state().LastError == nil })
	l.stop()
	l.ends(0, "")
}

// A stalled pull counts as a failed one.
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

// The image is claimed before it is looked up until the container is created, and
// the pull is recorded.
func TestClaim(t *testing.T) {
	r := newRig(t)
	image := r.app()
	image.Pace = 100 * time.Millisecond
	r.server.Publish("app:2", image)
	r.spec.Image, r.spec.Config.Image = "app:2", "app:2"
	l := r.start()
	l.until("the claim with what is still to come", func() bool {
		now, pulled, err := r.dir.Claims()
		return err == nil && len(now) == 1 && now[0].Ref == "app:2" && now[0].Need > 0 && len(pulled) == 0
	})
	l.ready()
	l.until("the end of the claim", func() bool {
		now, pulled, err := r.dir.Claims()
		return err == nil && len(now) == 0 && len(pulled) == 1 && pulled[0].Ref == "app:2" && strings.HasPrefix(pulled[0].Pulled, "sha256:")
	})
	l.stop()
	l.ends(0, "")
}

// A policy with an interval asks the registry when the last pull is too old.
func TestPullInterval(t *testing.T) {
	for policy, want := range map[spec.PullPolicy]string{"every_1h": "there", "every_1s": "newer"} {
		r := newRig(t)
		r.spec.PullPolicy = policy
		if err := r.dir.SetPulled("app:1"); err != nil {
			t.Fatal(err)
		}
		if want == "newer" {
			time.Sleep(1100 * time.Millisecond)
		}
		newer := r.app()
		newer.Run = saying("newer")
		r.server.Publish("app:1", newer)
		r.program(saying("there"))
		l := r.start()
		l.ready()
		l.until("the output of "+want, func() bool { return strings.Contains(r.stdout.String(), want) })
		l.stop()
		l.ends(0, "")
	}
}

// A pull that is tried again needs what the one before needed until it knows better:
// housekeeping looks at any time.
func TestClaimOfNextTry(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	claim, err := dir.Claim(t.Context(), "nginx:1")
	if err != nil {
		t.Fatal(err)
	}
	defer claim.Release()
	first := engine.Progress{Layers: 2, Bytes: 100}
	f := pullFollower{notify: &fakeNotifier{}, claim: claim, need: first.Need(), expected: first.Bytes}
	for _, step := range []struct{ at, want engine.Progress }{
		{engine.Progress{}, first},
		{engine.Progress{Layers: 1, Bytes: 40, BytesDone: 40}, first},
		{engine.Progress{Layers: 2, Bytes: 100, BytesDone: 40}, engine.Progress{Bytes: 60}},
	} {
		f.progressed(step.at)
		claims, _, err := dir.Claims()
		if err != nil || len(claims) != 1 || claims[0].Need != step.want.Need() {
			t.Errorf("claims at %+v = %+v, %v, want a need of %d", step.at, claims, err, step.want.Need())
		}
	}
}
