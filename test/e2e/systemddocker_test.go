//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The options of systemd-docker mean what they meant.
func TestSystemdDockerOptionsWork(t *testing.T) {
	start := func(t *testing.T, command string, lines ...string) *host {
		t.Helper()
		h := newHost(t)
		h.login()
		h.unit("app.service", service("/usr/bin/dockhost "+command, lines...))
		h.start("app")
		return h
	}
	t.Run("--pid-file", func(t *testing.T) {
		h := start(t, "--pid-file /run/app.pid run --rm --name app localhost:5000/app:1")
		if pid := h.output("cat /run/app.pid"); pid != h.pid("app") {
			t.Errorf("pid file has %s, want %s", pid, h.pid("app"))
		}
		h.run("systemctl stop app && ! [ -e /run/app.pid ]")
	})
	t.Run("--logs=false", func(t *testing.T) {
		h := start(t, "--logs=false run --rm --name app localhost:5000/app:1 -log-rate 100")
		h.eventually("docker logs has lines", func() error {
			if out := h.output("docker logs app 2>&1 | head -5"); strings.Count(out, "\n") < 4 {
				return fmt.Errorf("it has %q", out)
			}
			return nil
		})
		if out := h.output("journalctl -q -o cat --no-pager SYSLOG_IDENTIFIER=app _SYSTEMD_INVOCATION_ID=" + h.property("app.service", "InvocationID")); out != "" {
			t.Errorf("the journal has %q, want nothing of the container's", out)
		}
	})
	t.Run("--env", func(t *testing.T) {
		h := start(t, "-e run --rm --name app -e B=run localhost:5000/app:1", "Environment=A=unit B=unit HOME=/unit")
		env := h.output("docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' app")
		if !strings.Contains(env, "A=unit") || strings.Contains(env, "HOME=") || strings.Contains(env, "SYSTEMD_EXEC_PID") {
			t.Errorf("environment = %s, want A of the unit", env)
		}
		if b := h.output("curl -fs \"http://$(docker inspect -f '{{.NetworkSettings.IPAddress}}' app):8080/env?name=B\""); !strings.Contains(b, "run") {
			t.Errorf("B = %s, want what the command says", b)
		}
	})
	t.Run("--notify", func(t *testing.T) {
		h := newHost(t)
		h.login()
		h.unit("app.service", service("/usr/bin/dockhost -n run --rm --name app localhost:5000/app:1 -ready-after 1h -notify"))
		h.run("systemctl start --no-block app")
		h.eventually("the container runs", func() error {
			if state := h.output("docker inspect -f '{{.State.Status}}' app 2>&1 || true"); state != "running" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		if state := h.property("app.service", "ActiveState"); state != "activating" {
			t.Errorf("the unit is %s before its container says that it is ready", state)
		}
		h.run("docker exec app /app -send READY=1")
		h.eventually("the unit is active", func() error {
			if state := h.property("app.service", "ActiveState"); state != "active" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
	})
	t.Run("--logs=false --rm=false detaches", func(t *testing.T) {
		h := start(t, "--logs=false run --rm=false --name app localhost:5000/app:1")
		h.inUnit("app", "app.service")
		if pid := h.property("app.service", "MainPID"); pid != h.pid("app") {
			t.Errorf("MainPID = %s, want the container's, %s", pid, h.pid("app"))
		}
		if left, _ := h.try("pgrep -af dockhost-supervise"); left != "" {
			t.Errorf("a supervisor is left: %s", left)
		}
		h.run("systemctl restart app")
		h.inUnit("app", "app.service")
		h.run("systemctl stop app")
		h.eventually("the container has ended", func() error {
			if state := h.output("docker inspect -f '{{.State.Status}}' app"); state != "exited" {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
	})
	t.Run("detaching needs Type=notify", func(t *testing.T) {
		h := newHost(t)
		h.login()
		h.unit("app.service", strings.Replace(service("/usr/bin/dockhost --logs=false run --name app localhost:5000/app:1"), "Type=notify\n", "", 1))
		h.start("app")
		h.eventually("the unit says why", func() error {
			if said := h.journal("app.service"); !strings.Contains(said, "Type=notify") {
				return fmt.Errorf("it says %s", said)
			}
			return nil
		})
	})
	t.Run("-d has no effect", func(t *testing.T) {
		h := start(t, "run -d --rm --name app localhost:5000/app:1")
		h.inUnit("app", "app.service")
		h.run("systemctl stop app")
		h.nothingLeft("app.service")
	})
	t.Run("without a name", func(t *testing.T) {
		h := start(t, "run localhost:5000/app:1")
		h.run("systemctl restart app && systemctl kill -s KILL --kill-who=main app")
		h.run("systemctl reset-failed app; systemctl restart app && systemctl stop app")
		if left := strings.Fields(h.output("docker ps -aq")); len(left) != 1 {
			t.Errorf("containers = %v, want the last one", left)
		}
	})
}
