package supervisor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// fakeReadiness says a text, and waits for something.
type fakeReadiness struct {
	noHooks

	text string
}

func (f fakeReadiness) says() string { return f.text }

func (fakeReadiness) waitsFor() string { return "something" }

func (fakeReadiness) watch(context.Context, string, *process) {}

// reporterIn returns a reporter of the rig's container in a phase.
func (r *rig) reporterIn(p phase, text string) *reporter {
	report := newReporter(Options{Container: r.spec, Dir: r.dir, Notify: r.notify, Watchdog: time.Minute, Log: r.log})
	report.life.phase = p
	report.readiness = fakeReadiness{text: text}
	return report
}

// The status names everything that is wrong with a container that runs.
func TestReporterStatus(t *testing.T) {
	tests := []struct {
		name  string
		phase phase
		says  string
		setUp func(r *reporter)
		want  string
	}{
		{"unready", phaseUnready, "", nil, "running, waiting for something"},
		{"running", phaseRunning, "", nil, "running app:1"},
		{"saying something", phaseRunning, "serving", nil, "running app:1: serving"},
		{"cached", phaseRunning, "", func(r *reporter) { r.state.Cached = true }, "running app:1 (cached: the registry could not be asked)"},
		{"ill", phaseRunning, "", func(r *reporter) { r.condition.ill = errUnhealthy }, "running app:1, but its health check fails: systemd ends it after 1m0s without a sign of life"},
		{"reload failed", phaseRunning, "", func(r *reporter) {
			r.condition.reloadFailed, r.state.LastError = true, &rundir.Failure{Message: "reload the container: no\nmore"}
		}, "running app:1, but could not reload the container: no"},
		{"lost a process", phaseRunning, "", func(r *reporter) { r.state.OOMKills = 2 }, "running app:1, but out of memory (the kernel has killed 2 of its processes)"},
		{"GPU lost", phaseRunning, "serving", func(r *reporter) { r.state.GPU = "gone" }, "running app:1, but it lost a GPU: gone: serving"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			report := newRig(t).reporterIn(test.phase, test.says)
			if test.setUp != nil {
				test.setUp(report)
			}
			if got := report.status(); got != test.want {
				t.Errorf("status() = %q, want %q", got, test.want)
			}
		})
	}
}

// The state file is written before systemd hears of a change: a program that
// reacts to systemd reads the rest there.
func TestStateIsWrittenBeforeSystemdIsNotified(t *testing.T) {
	r := newRig(t)
	report := r.reporterIn(phaseUnready, "")
	var atReady rundir.State
	report.notify = readyHook{r.notify, func() { atReady = r.state() }}
	report.life.send(eventReady)
	if !atReady.Ready || atReady.Phase != string(phaseRunning) {
		t.Errorf("the state at READY=1 is %+v, want it ready", atReady)
	}
}

// readyHook calls a function before READY=1.
type readyHook struct {
	notifier

	before func()
}

func (h readyHook) Ready(status string) {
	h.before()
	h.notifier.Ready(status)
}

// An error that comes again is logged once.
func TestTroubleIsLoggedOnce(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	r := newRig(t)
	r.log = zap.New(core)
	report := r.reporterIn(phasePulling, "")
	for range 3 {
		report.trouble("pull failed, trying again", errors.New("connection refused"))
	}
	report.trouble("pull failed, trying again", errors.New("not found"))
	if n := logs.Len(); n != 2 {
		t.Errorf("%d messages, want one for each error", n)
	}
	if last := r.state().LastError; last == nil || last.Message != "not found" {
		t.Errorf("last error = %+v, want the last one", last)
	}
}

// READY=1 comes again after docker restart.
func TestReadyAgain(t *testing.T) {
	r := newRig(t)
	report := r.reporterIn(phaseUnready, "")
	for _, event := range []event{eventReady, eventRestarted, eventReady} {
		report.life.send(event)
	}
	if n := r.notify.count("READY"); n != 2 {
		t.Errorf("systemd was sent READY=1 %d times, want twice:\n%s", n, r.notify)
	}
	if text := r.notify.String(); strings.Contains(text, "waiting") {
		t.Errorf("a container that is ready at once was shown as unready:\n%s", text)
	}
}

// With notify: off systemd is sent nothing.
func TestNotifyOff(t *testing.T) {
	r := newRig(t)
	r.spec.Notify, r.watchdog = spec.NotifyOff, 10*time.Millisecond
	l := r.start()
	l.until("that it runs", func() bool { return l.state().Ready })
	l.stop()
	l.ends(0, "")
	if lines := r.notify.all(); len(lines) != 0 {
		t.Errorf("systemd was sent %q, want nothing", lines)
	}
}
