package supervisor

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

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
		f.running = allChannels(t)
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
		t.Errorf("systemd was not sent STOPPING=1:\n%s", r.notify)
	}
}

// allChannels returns a container that has every channel of the event loop.
func allChannels(t *testing.T) *running {
	t.Helper()
	self, err := openProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(self.close)
	return &running{
		process: self, gone: self.ended(), overdue: make(chan time.Time),
		exit: make(chan engine.Exit), events: make(chan engine.Event),
	}
}
