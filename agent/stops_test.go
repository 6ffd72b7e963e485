package agent

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

const webUnit = "dockhost@web.service"

// A stop lasts over reconciles, restarts of the agent and reboots, until someone starts
// the container, or declares another one of its name.
func TestStopLasts(t *testing.T) {
	for _, test := range []struct {
		name string
		stop func(h *testHost, a *Agent)
		by   string
	}{
		{"dockhostctl stop", func(h *testHost, a *Agent) {
			note, err := a.server.operator.stop(h.Context(), "web", api.Stopped{At: time.Now(), By: byStopCommand, User: "anna"})
			if err != nil || note != "" {
				h.Fatalf("stop() = %q, %v", note, err)
			}
		}, byStopCommand},
		{"systemctl stop", func(h *testHost, a *Agent) { h.systemctlStop(a) }, bySystemctl},
		{"systemctl stop while no agent runs", func(h *testHost, _ *Agent) {
			h.stop()
			if err := h.units.systemctlStopsWeb(); err != nil {
				h.Fatal(err)
			}
		}, bySystemctl},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			h.userData("i-1", containers("web nginx:1", "other nginx:1"))
			a := h.agent()
			a.takeOver(t.Context()).wait()
			test.stop(h, a)
			h.wantStarts(1, "the stop")
			a.takeOver(t.Context()).wait()
			h.wantStarts(1, "a reload")
			a = h.agent()
			a.takeOver(t.Context()).wait()
			h.wantStarts(1, "a restart of the agent")
			h.boot()
			a = h.agent()
			a.takeOver(t.Context()).wait()
			h.wantStarts(0, "a reboot")
			if by := a.store.stop("web"); by == nil || by.By != test.by {
				t.Errorf("stopped by %+v, want %s", by, test.by)
			}
			if by := a.store.stop("other"); by != nil {
				t.Errorf("the other container is stopped by %+v, want it running", by)
			}
			h.userData("i-1", containers("web nginx:1", "other nginx:2"))
			h.engine.images["nginx:2"] = true
			a.takeOver(t.Context()).wait()
			h.wantStarts(0, "a change of the other container")
			h.userData("i-1", containers("web nginx:2", "other nginx:2"))
			a.takeOver(t.Context()).wait()
			h.wantStarts(1, "a change of its own")
			if by := a.store.stop("web"); by != nil {
				t.Errorf("stopped by %+v after a changed assignment, want it running", by)
			}
		})
	}
}

// A stop that is noticed late does not count for what was put in force since, although the
// agent was killed, or interrupted, before it had systemd start that.
func TestLateStopIsOfItsDeclaration(t *testing.T) {
	for _, written := range []bool{false, true} {
		h := newTestHost(t)
		a := h.agent()
		a.takeOver(t.Context())
		h.declare(a, local("web", "nginx:1"))
		if err := h.units.systemctlStopsWeb(); err != nil {
			t.Fatal(err)
		}
		next := local("web", "nginx:2")
		draft := a.store.withSuccessor(next)
		draft.Local = put(draft.Local, *next)
		if err := a.store.save(draft); err != nil {
			t.Fatal(err)
		}
		if written {
			if err := a.units.dir.WriteContainer(next); err != nil {
				t.Fatal(err)
			}
		}
		a = h.agent()
		a.takeOver(t.Context()).wait()
		h.wantStarts(2, "a new declaration")
		if by := a.store.stop("web"); by != nil {
			t.Errorf("stopped by %+v, want nobody", by)
		}
		if err := h.units.systemctlStopsWeb(); err != nil {
			t.Fatal(err)
		}
		a.takeOver(t.Context()).wait()
		h.wantStarts(2, "a later stop")
	}
}

// systemctlStop is a stop by a person that the agent notices.
func (h *testHost) systemctlStop(a *Agent) {
	h.Helper()
	if err := h.units.systemctlStopsWeb(); err != nil {
		h.Fatal(err)
	}
	a.deployer.lookAtStops(h.Context())
}

func (h *testHost) wantStarts(want int, after string) {
	h.Helper()
	if got := h.units.starts[webUnit]; got != want {
		h.Fatalf("the unit was started %d times after %s, want %d", got, after, want)
	}
}

func TestStartEndsStop(t *testing.T) {
	for _, test := range []struct {
		name  string
		start func(h *testHost, a *Agent) error
	}{
		{"dockhostctl start", func(h *testHost, a *Agent) error {
			_, err := a.server.operator.start(h.Context(), "web", false)
			return err
		}},
		{"dockhostctl restart", func(h *testHost, a *Agent) error {
			_, err := a.server.operator.start(h.Context(), "web", true)
			return err
		}},
		{"systemctl start", func(h *testHost, a *Agent) error {
			err := h.units.Start(h.Context(), webUnit)
			a.deployer.lookAtStops(h.Context())
			return err
		}},
		{"dockhostctl run", func(h *testHost, a *Agent) error { return a.declare(h.Context(), local("web", "nginx:1")) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newTestHost(t)
			a := h.agent()
			a.takeOver(t.Context())
			h.declare(a, local("web", "nginx:1"))
			h.systemctlStop(a)
			if a.store.stop("web") == nil {
				t.Fatal("the stop was not noticed")
			}
			if err := test.start(h, a); err != nil {
				t.Fatal(err)
			}
			h.wantStarts(2, "the start")
			if by := h.agent().targets.read(t.Context()).old.stop("web"); by != nil {
				t.Errorf("stopped by %+v on the disk, want it forgotten", by)
			}
		})
	}
}

// What was started and stopped again while no agent looked is judged by its last stop.
func TestStopAfterUnseenStart(t *testing.T) {
	for _, system := range []string{"", "maintenance"} {
		h := newTestHost(t)
		h.userData("i-1", containers("web nginx:1"))
		a := h.agent()
		a.takeOver(t.Context()).wait()
		h.systemctlStop(a)
		if err := h.units.Start(t.Context(), webUnit); err != nil {
			t.Fatal(err)
		}
		h.units.system = system
		if err := h.units.systemctlStopsWeb(); err != nil {
			t.Fatal(err)
		}
		a = h.agent()
		a.takeOver(t.Context()).wait()
		if by := a.store.stop("web"); (by == nil) != (system != "") {
			t.Errorf("stopped by %+v after a stop by %q, want the last one to count", by, system)
		}
		h.wantStarts(map[bool]int{true: 2, false: 3}[system == ""], "a new agent")
	}
}

// A stop that systemd explains otherwise does not last.
func TestStopBySystemDoesNotLast(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	h.units.system = "maintenance"
	h.systemctlStop(a)
	if by := a.store.stop("web"); by != nil {
		t.Fatalf("stopped by %+v, want nobody", by)
	}
	a.takeOver(t.Context()).wait()
	h.wantStarts(2, "the stop")
}

func TestForgottenContainerForgetsStop(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	a.takeOver(t.Context())
	h.declare(a, local("web", "nginx:1"))
	h.systemctlStop(a)
	if err := a.request(t.Context(), change{name: "web"}); err != nil {
		t.Fatal(err)
	}
	h.declare(a, local("web", "nginx:1"))
	h.wantStarts(2, "another declaration")
}

// A stop that cannot be saved is in force, and the caller learns that it may not last.
func TestUnsavedStopIsTold(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	dir := filepath.Dir(a.store.file.path())
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	h.write(strings.TrimPrefix(dir, h.root), "a file in the way")
	note, err := a.server.operator.stop(t.Context(), "web", api.Stopped{By: byStopCommand})
	if err != nil || !strings.Contains(note, "stopped until the next boot") {
		t.Errorf("stop() = %q, %v, want that it is not saved", note, err)
	}
	a.takeOver(t.Context()).wait()
	h.wantStarts(1, "the stop")
}

// A container starts without one that is stopped, unless it cannot run without it: then
// both stay stopped.
func TestStopOfDependency(t *testing.T) {
	h := newTestHost(t)
	a := h.agent()
	a.takeOver(t.Context())
	h.declare(a, local("web", "nginx:1"))
	loose, joined := local("loose", "nginx:1"), local("joined", "nginx:1")
	loose.DependsOn = []spec.Dependency{{Name: "web"}}
	joined.DependsOn = []spec.Dependency{{Name: "web", Joined: true}}
	h.declare(a, loose)
	h.declare(a, joined)
	wants := func() bool {
		text, err := os.ReadFile(a.units.dropIns.path("loose"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(text), "Wants="+webUnit)
	}
	if !wants() {
		t.Error("the container that depends on web does not start it")
	}
	h.systemctlStop(a)
	if wants() {
		t.Error("the container that depends on web starts it although it is stopped")
	}
	if by := a.store.stop("loose"); by != nil {
		t.Errorf("loose is stopped by %+v, want it running", by)
	}
	if by := a.store.stop("joined"); by == nil || by.By != bySystemctl+" web" {
		t.Errorf("joined is stopped by %+v, want the stop of web", by)
	}
	if _, err := a.server.operator.start(t.Context(), "web", false); err != nil || !wants() || a.store.stop("joined") != nil {
		t.Errorf("after the start (%v) wants = %v, joined is stopped by %+v", err, wants(), a.store.stop("joined"))
	}
}

// The status of a stopped container is well, and says who has stopped it.
func TestStatusOfStopped(t *testing.T) {
	h := newTestHost(t)
	s := h.serve()
	if code, body := s.put(local("web", "nginx:1")); code != http.StatusOK {
		t.Fatalf("run: %d %s", code, body)
	}
	if code, body := s.ask("POST", "/v1/containers/web/stop", ""); code != http.StatusOK {
		t.Fatalf("stop: %d %s", code, body)
	}
	c := s.container()
	if c.Stopped == nil || c.Stopped.By != byStopCommand || c.Stopped.User == "" || !c.Well() {
		t.Errorf("status = %+v, %+v, want it well and stopped", c, c.Stopped)
	}
	if code, body := s.ask("POST", "/v1/containers/web/update", "{}"); code != http.StatusConflict || !strings.Contains(body, "dockhostctl start web") {
		t.Errorf("update of a stopped container: %d %s, want 409 and what to do", code, body)
	}
	if code, body := s.ask("POST", "/v1/containers/web/start", ""); code != http.StatusOK {
		t.Fatalf("start: %d %s", code, body)
	}
	if c := s.container(); c.Stopped != nil || !c.Ready {
		t.Errorf("status = %+v, want it ready", c)
	}
	for _, verb := range []string{"start", "stop", "restart", "reload"} {
		if code, body := s.ask("POST", "/v1/containers/none/"+verb, ""); code != http.StatusNotFound {
			t.Errorf("%s of a container that is not there: %d %s, want 404", verb, code, body)
		}
	}
	if code, body := s.ask("POST", "/v1/containers/web/reload", ""); code != http.StatusConflict || !strings.Contains(body, "x-dockhost.reload") {
		t.Errorf("reload: %d %s, want 409 and why", code, body)
	}
}

// container returns the status of the only container.
func (s apiClient) container() api.Container {
	s.Helper()
	_, raw := s.ask("GET", "/v1/status", "")
	var host api.Status
	if err := json.Unmarshal([]byte(raw), &host); err != nil || len(host.Containers) != 1 {
		s.Fatalf("status = %s, %v, want one container", raw, err)
	}
	return host.Containers[0]
}

// A container that fails again and again can be stopped while systemd waits to start it.
func TestStopWhileStartIsDelayed(t *testing.T) {
	h := newTestHost(t)
	h.userData("i-1", containers("web nginx:1"))
	a := h.agent()
	a.takeOver(t.Context()).wait()
	state, err := h.units.run.State("web")
	if err != nil {
		t.Fatal(err)
	}
	fails(&state)
	h.writeState(state)
	a.deployer.lookAtStops(t.Context())
	if by := a.store.stop("web"); by != nil {
		t.Fatalf("stopped by %+v while systemd will start it, want nobody", by)
	}
	h.units.mu.Lock()
	delete(h.units.active, webUnit)
	h.units.mu.Unlock()
	a = h.agent()
	a.takeOver(t.Context()).wait()
	h.wantStarts(1, "the stop")
	if by := a.store.stop("web"); by == nil || by.By != bySystemctl {
		t.Errorf("stopped by %+v, want %s", by, bySystemctl)
	}
}
