package supervisor

import (
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// systemd's SIGTERM ends the supervisor without an error in every phase.
func TestStopRequested(t *testing.T) {
	tests := []struct {
		name  string
		setUp func(r *rig)
		// at is the last line that systemd was sent before the request.
		at string
	}{
		{"waiting for Docker", func(r *rig) { r.server.Down() }, "STATUS waiting for Docker"},
		{"pulling", func(r *rig) {
			r.spec.Image = "stalling"
			r.server.Publish("stalling", enginetest.Image{Stalling: true})
		}, "STATUS pulling stalling: "},
		{"between pulls", func(r *rig) { r.spec.Image = "absent" }, "STATUS next try in "},
		{"asking for a newer image", func(r *rig) {
			r.spec.PullPolicy = spec.PullAlways
			r.server.Publish("app:1", enginetest.Image{Stalling: true})
		}, "STATUS pulling app:1: "},
		{"unready", func(r *rig) {
			r.spec.Notify = spec.NotifyHealthy
			r.command("-ready-after", "1h")
		}, "STATUS running, waiting for its health check"},
		{"running", func(*rig) {}, "READY"},
		{"running what SIGKILL is to stop", func(r *rig) { r.spec.Config.StopSignal = "SIGKILL" }, "READY"},
		{"running what ends badly", func(r *rig) { r.program(untilSIGTERM(3)) }, "READY"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			test.setUp(r)
			l := r.start()
			l.until(test.at, func() bool { return r.notify.count(test.at) > 0 })
			l.stop()
			<-l.done
			if test.name == "waiting for Docker" {
				r.server.Up()
			}
			l.ends(0, "")
			if state, err := r.dir.State("app"); err != nil || state.StopRequested.IsZero() {
				t.Errorf("state after the stop = %+v, %v, want that systemd asked for it", state, err)
			}
			if got := r.notify.count("STOPPING"); got != 1 {
				t.Errorf("systemd was sent STOPPING=1 %d times, want once:\n%s", got, r.notify)
			}
		})
	}
}

// The time of a stop is that of the request, also if Docker delays the end of the start.
func TestStopDuringStart(t *testing.T) {
	r := newRig(t)
	r.server.Hang("/start")
	l := r.start()
	l.until("the start", r.server.Hangs)
	l.stop()
	l.until("the request for a stop", func() bool { return l.supervisor.follower.stopper.elapsed() > 0 })
	requested := time.Now()
	r.server.Continue()
	l.ends(0, "")
	if at := r.state().StopRequested; at.IsZero() || at.After(requested) {
		t.Errorf("the state says that the stop was requested at %v, want a time before %v", at, requested)
	}
}

// A container that does not end on its stop signal is killed after its own grace
// period, or in time for the unit's stop timeout.
func TestStopKills(t *testing.T) {
	tests := []struct {
		name string
		// grace is the container's grace period in seconds, unit the unit's stop
		// timeout.
		grace int
		unit  time.Duration
	}{
		{"own grace", 1, 0},
		{"unit's timeout is longer", 1, time.Hour},
		{"unit's timeout is shorter", 3600, stopMargin + time.Second},
		{"unit's timeout is short", 3600, stopMargin},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.spec.Config.StopTimeout, r.units.timeoutStop = &test.grace, test.unit
			r.command("-ignore-sigterm")
			l := r.start()
			l.ready()
			began := time.Now()
			l.stop()
			l.ends(exitKilled, "did not end on its stop signal and was killed")
			if took := time.Since(began); took < time.Second || took > 10*time.Second {
				t.Errorf("Run() took %s to kill, want about 1s", took)
			}
		})
	}
}

func TestGrace(t *testing.T) {
	tests := []struct {
		name string
		own  int
		unit time.Duration
		want time.Duration
	}{
		{"unit without a limit", 3600, 0, time.Hour},
		{"neither has a limit", -1, 0, -time.Second},
		{"container without a limit", -1, 90 * time.Second, 88 * time.Second},
		{"both, the container's", 10, 90 * time.Second, 10 * time.Second},
		{"both, the unit's", 60, 15 * time.Second, 13 * time.Second},
		{"as long as each other", 15, 15 * time.Second, 13 * time.Second},
		{"no time", 60, 2 * time.Second, time.Second},
		{"at once", 0, 90 * time.Second, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := stopper{
				container: &spec.Container{Config: &container.Config{StopTimeout: &test.own}},
				unit:      &unit{name: unitName, own: fakeUnits{timeoutStop: test.unit}}, log: zap.NewNop(),
			}
			if got := s.grace(t.Context()); got != test.want {
				t.Errorf("grace() = %s, want %s", got, test.want)
			}
		})
	}
}

// docker stop by a person is a clean stop, whatever the container's exit code.
func TestDockerStop(t *testing.T) {
	// The signal and the end are reported in any order.
	for _, code := range []int{0, 3, 143, 143, 143, 143} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			r := newRig(t)
			r.program(untilSIGTERM(code))
			l := r.start()
			l.ready()
			if err := r.engine().Stop(t.Context(), "app", patience); err != nil {
				t.Fatal(err)
			}
			l.ends(0, "")
			if r.notify.count("STOPPING") != 1 {
				t.Errorf("systemd was not sent STOPPING=1 once:\n%s", r.notify)
			}
		})
	}
}

// A docker stop that kills the container is a failure.
func TestDockerStopKills(t *testing.T) {
	r := newRig(t)
	r.command("-ignore-sigterm")
	l := r.start()
	l.ready()
	if err := r.engine().Stop(t.Context(), "app", 0); err != nil {
		t.Fatal(err)
	}
	l.ends(exitKilled, "container did not end on its stop signal and was killed")
}

// The stop signal decides whether exit code 137 means a kill.
func TestStopEnding(t *testing.T) {
	tests := []struct {
		signal unix.Signal
		code   int
		want   int
	}{
		{unix.SIGTERM, 0, 0},
		{unix.SIGTERM, 3, 0},
		{unix.SIGTERM, exitKilled, exitKilled},
		{unix.SIGKILL, exitKilled, 0},
	}
	for _, test := range tests {
		f := follower{running: &running{stopSignal: test.signal}, container: &spec.Container{}, inbox: &inbox{}}
		end := f.stopEnding(test.code)
		if end.code != test.want || (end.err != nil) != (test.want != 0) {
			t.Errorf("stopEnding(%d) with stop signal %v = %+v, want %d", test.code, test.signal, end, test.want)
		}
	}
}
