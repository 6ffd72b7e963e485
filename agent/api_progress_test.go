package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/rundir"
)

// A container that ends just after it became ready has failed; one that stays up for a
// moment is ready.
func TestProgressWaitsUntilContainerSettles(t *testing.T) {
	for _, test := range []struct {
		name    string
		restart string
		// change is what happens after half the settle time.
		change  func(s *rundir.State)
		problem string
		also    string
	}{
		{name: "stays", change: func(*rundir.State) {}},
		{name: "fails", change: fails, problem: "exited with status 1", also: "dockhost@web.service tries again"},
		{name: "fails and is not restarted", restart: "no", change: fails, problem: "exited with status 1"},
		{name: "completes", restart: "no", change: func(s *rundir.State) { s.Phase, s.Ready = "ended", false }},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newTestHost(t)
				a := h.agent()
				c := local("web", "nginx:1")
				c.Restart = test.restart
				since := time.Now()
				h.declare(a, c)
				state := rundir.State{Phase: "running", Ready: true, Since: time.Now(), ConfigHash: c.Hash(), Restart: test.restart}
				h.writeState(state)
				go func() {
					time.Sleep(settleTime / 2)
					test.change(&state)
					h.writeState(state)
					h.units.mu.Lock()
					defer h.units.mu.Unlock()
					h.units.notify()
				}()
				var last api.Progress
				err := a.server.follow(t.Context(), awaited{name: "web", since: since}, func(p api.Progress) error { last = p; return nil })
				isRight := last.Ready == (test.problem == "") && strings.Contains(last.Error, test.problem) &&
					strings.Contains(last.Error, "tries again") == (test.also != "")
				if err != nil || !isRight {
					t.Errorf("follow() = %+v, %v, want %q %q", last, err, test.problem, test.also)
				}
				if took := time.Since(since); took < settleTime/2 || took > settleTime {
					t.Errorf("the answer took %s, want at most %s", took, settleTime)
				}
			})
		})
	}
}

// The error of a supervisor that ends while its unit is being asked for is not lost.
func TestProgressNamesErrorOfEndingSupervisor(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	c := local("web", "nginx:1")
	since := time.Now()
	h.declare(a, c)
	h.stop()
	h.units.active, h.units.failed = map[string]bool{}, map[string]bool{"dockhost@web.service": true}
	state := rundir.State{Phase: "starting", Since: time.Now(), ConfigHash: c.Hash()}
	h.writeState(state)
	h.units.asked = func() {
		fails(&state)
		h.writeState(state)
	}
	p, _ := a.server.progress(t.Context(), awaited{name: "web", since: since})
	if !strings.Contains(p.Error, "exited with status 1") {
		t.Errorf("progress() = %+v, want the error of the supervisor", p)
	}
	state.LastError.ConfigHash = "" // Docker took the container along: the declaration is not to blame
	h.writeState(state)
	if p, _ := a.server.progress(t.Context(), awaited{name: "web", since: since}); !strings.Contains(p.Error, "exited with status 1") {
		t.Errorf("progress() = %+v, want the error of the supervisor", p)
	}
}

func fails(s *rundir.State) {
	s.Phase, s.Ready = "ended", false
	s.LastError = &rundir.Failure{At: time.Now(), Message: "exited with status 1", ConfigHash: s.ConfigHash}
}

func (h *testHost) writeState(state rundir.State) {
	h.Helper()
	if err := h.units.run.WriteState("web", state); err != nil {
		h.Fatal(err)
	}
}
