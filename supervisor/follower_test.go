package supervisor

import (
	"errors"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/spec"
)

// A mistake in the supervisor stops the container in its own time, and fails the
// unit.
func TestEventOutOfOrderEndsTheUnit(t *testing.T) {
	r := newRig(t)
	r.program(untilSIGTERM(0))
	l := r.start()
	l.ready()
	f := l.supervisor.follower
	f.inbox.do(t.Context(), func() { f.report.life.send(eventCreated) })
	l.ends(1, `internal error in the supervisor: event "created" in phase "running"`)
	if r.notify.count("STOPPING") != 1 {
		t.Errorf("systemd was not told that the container is stopped:\n%s", r.notify)
	}
}

// An event out of order before the start keeps the container from running.
func TestEventOutOfOrderBeforeTheStart(t *testing.T) {
	r := newRig(t)
	l := r.prepare()
	l.supervisor.report.life.fault = errors.New("out of order")
	l.run()
	l.ends(ExitNotRun, "out of order")
	if r.notify.count("READY") != 0 {
		t.Errorf("systemd was told that the container is ready:\n%s", r.notify)
	}
}

// What each mode of the event loop listens to.
func TestModesListen(t *testing.T) {
	tests := []struct {
		mode mode
		// listens names the channels.
		listens string
	}{
		{modeFollowing, "stop exit gone overdue events calls signals"},
		{modeAway, "stop exit gone overdue events calls signals"},
		{modeStopping, "exit gone overdue events calls"},
		{modeJudging, "events"},
		{modeRestarting, "events"},
		{modeTerminating, "gone"},
		{modeKilling, "gone"},
	}
	for _, test := range tests {
		r := newRig(t)
		f := r.prepare().supervisor.follower
		f.inbox.stop = make(chan struct{})
		f.running = allChannels()
		f.loop.mode = test.mode
		open := f.channels()
		var got []string
		for _, channel := range []struct {
			name string
			open bool
		}{
			{"stop", open.stop != nil},
			{"exit", open.exit != nil},
			{"gone", open.gone != nil},
			{"overdue", open.overdue != nil},
			{"events", open.events != nil},
			{"calls", open.calls != nil},
			{"signals", open.signals != nil},
		} {
			if channel.open {
				got = append(got, channel.name)
			}
		}
		if strings.Join(got, " ") != test.listens {
			t.Errorf("mode %d listens to %v, want %s", test.mode, got, test.listens)
		}
	}
}

func TestSigns(t *testing.T) {
	tests := []struct {
		name                   string
		events                 func(s *signs)
		maybeStopped, complete bool
	}{
		{"nothing heard", func(*signs) {}, true, false},
		{"ended by itself", func(s *signs) { s.died = true }, false, true},
		{"signal", func(s *signs) { s.signal(unix.SIGTERM, unix.SIGTERM) }, true, false},
		{"signal, then the end", func(s *signs) { s.signal(unix.SIGTERM, unix.SIGTERM); s.died = true }, true, false},
		{"docker stop", func(s *signs) { s.signal(unix.SIGTERM, unix.SIGTERM); s.died, s.stopped = true, true }, true, true},
		{"docker kill", func(s *signs) { s.signal(unix.SIGKILL, unix.SIGTERM); s.died = true }, false, true},
		{"docker kill of what SIGKILL stops", func(s *signs) { s.signal(unix.SIGKILL, unix.SIGKILL); s.died = true }, true, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var s signs
			test.events(&s)
			if s.maybeStopped() != test.maybeStopped || s.complete() != test.complete {
				t.Errorf("maybeStopped() = %v, complete() = %v, want %v, %v", s.maybeStopped(), s.complete(), test.maybeStopped, test.complete)
			}
		})
	}
}

// A stop that the supervisor begins on its own is a failure, whatever the
// container's exit code.
func TestWithCause(t *testing.T) {
	cause, fault := errors.New("lost a GPU"), errors.New("out of order")
	tests := []struct {
		name         string
		cause, fault error
		end          ending
		code         int
		text         string
	}{
		{"none", nil, nil, ending{}, 0, ""},
		{"none, and a failure", nil, nil, ending{code: 7, err: errors.New("exit code 7")}, 7, "exit code 7"},
		{"a cause", cause, nil, ending{}, 1, "lost a GPU"},
		{"a cause, and a failure", cause, nil, ending{code: 137, err: errors.New("killed")}, 137, "lost a GPU\nkilled"},
		{"a fault while it stops", nil, fault, ending{}, 1, "out of order"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			f := follower{report: &reporter{life: &lifecycle{fault: test.fault}}, loop: loop{cause: test.cause}}
			end := f.withCause(test.end)
			text := ""
			if end.err != nil {
				text = end.err.Error()
			}
			if end.code != test.code || text != test.text {
				t.Errorf("withCause(%+v) = %d, %q, want %d, %q", test.end, end.code, text, test.code, test.text)
			}
		})
	}
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
		end := (&running{stopSignal: test.signal}).stopEnding(test.code)
		if end.code != test.want || (end.err != nil) != (test.want != 0) {
			t.Errorf("stopEnding(%d) with stop signal %v = %+v, want %d", test.code, test.signal, end, test.want)
		}
	}
}

// A container whose unit detaches is handed over once it is ready.
func TestHandedOver(t *testing.T) {
	for _, test := range []struct {
		run   *spec.Run
		phase phase
		want  bool
	}{
		{nil, phaseRunning, false},
		{&spec.Run{}, phaseRunning, false},
		{&spec.Run{Detach: true}, phaseUnready, false},
		{&spec.Run{Detach: true}, phaseRunning, true},
		{&spec.Run{Detach: true}, phaseStopping, false},
	} {
		f := follower{container: &spec.Container{Run: test.run, Config: &container.Config{}}, report: &reporter{life: &lifecycle{phase: test.phase}}}
		if got := f.handedOver(); got != test.want {
			t.Errorf("handedOver() of %+v in phase %s = %v, want %v", test.run, test.phase, got, test.want)
		}
	}
}
