package agent

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/systemd"
)

// A container is ready for a load balancer by what its supervisor says, while its unit is
// active.
func TestUnready(t *testing.T) {
	t.Parallel()
	active, failed := systemd.Unit{ActiveState: "active"}, systemd.Unit{ActiveState: "failed"}
	ready := rundir.State{Phase: "running", Ready: true}
	for _, test := range []struct {
		name  string
		unit  systemd.Unit
		known bool
		state rundir.State
		want  string
	}{
		{"ready", active, true, ready, ""},
		{"its supervisor was killed", failed, true, ready, "failed"},
		{"systemd does not answer", systemd.Unit{}, false, ready, ""},
		{"starting", systemd.Unit{ActiveState: "activating"}, true, rundir.State{}, "activating"},
		{"not started", active, true, rundir.State{}, "not ready"},
		{"unhealthy", active, true, rundir.State{Ready: true, Health: "unhealthy"}, "unhealthy"},
		{"finished", systemd.Unit{ActiveState: "inactive"}, true, rundir.State{Phase: "ended", Restart: "no"}, ""},
		{"stopped", systemd.Unit{ActiveState: "inactive"}, true, rundir.State{Phase: "ended"}, "inactive"},
	} {
		if got := unready(test.unit, test.known, test.state); got != test.want {
			t.Errorf("%s: unready() = %q, want %q", test.name, got, test.want)
		}
	}
}

// The answer to a load balancer names what is missing.
func TestReadinessAnswers(t *testing.T) {
	h := newTestHost(t)
	h.units.broken = map[string]string{"nginx:broken": "it broke"}
	s := h.serve()
	ask := func() (int, string) {
		r := &readiness{store: s.agent.store, waiting: func() string { return "" }, systemd: s.agent.Units, dir: s.agent.units.dir}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
		return w.Code, w.Body.String()
	}
	s.put(local("web", "nginx:1"))
	h.eventually("ready", func() error {
		if code, text := ask(); code != http.StatusOK || text != "ready\n" {
			return errors.New(text)
		}
		return nil
	})
	s.put(local("bad", "nginx:broken"))
	h.eventually("not ready, with the name", func() error {
		if code, text := ask(); code != http.StatusServiceUnavailable || !strings.HasPrefix(text, "bad: ") {
			return errors.New(text)
		}
		return nil
	})
}

// Metrics are on the socket, and in the file that dockhost.yaml names. What cannot be done
// is a problem in the status.
func TestMetricsAndListeners(t *testing.T) {
	h := newTestHost(t)
	writeFile(t, filepath.Join(h.root, "etc/dockhost/dockhost.yaml"), "datasource: NoCloud\nhealth: {listen: '192.0.2.1:8081'}\nmetrics: {textfile: /metrics/dockhost.prom}\n")
	s := h.serve()
	s.put(local("web", "nginx:1"))
	code, text := s.ask("GET", "/metrics", "")
	if code != http.StatusOK || !strings.Contains(text, `dockhost_container_info{digest="`) {
		t.Errorf("GET /metrics answers %d: %s", code, text)
	}
	s.wantNoSecret(text)
	h.eventually("the problems are in the status", func() error {
		_, status := s.ask("GET", "/v1/status", "")
		if !strings.Contains(status, "health.listen: listen tcp 192.0.2.1:8081") || !strings.Contains(status, "mkdir -p /metrics") {
			return errors.New(status)
		}
		return nil
	})
	if err := os.Mkdir(filepath.Join(h.root, "metrics"), 0o755); err != nil {
		t.Fatal(err)
	}
	s.put(local("web", "nginx:2")) // an event
	h.eventually("the file is written", func() error {
		text, err := os.ReadFile(filepath.Join(h.root, "metrics/dockhost.prom"))
		if err == nil && !strings.Contains(string(text), `name="web"`) {
			return errors.New(string(text))
		}
		return err
	})
}
