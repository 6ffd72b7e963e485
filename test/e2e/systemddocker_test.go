//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSystemdDockerOptionsWork checks that the options of systemd-docker mean
// what they mean to systemd-docker itself.
func TestSystemdDockerOptionsWork(t *testing.T) {
	tests := []struct {
		name  string
		check func(h *host)
	}{
		{"--pid-file", checkPIDFile},
		{"--logs=false", checkNoLogs},
		{"--env", checkEnv},
		{"--notify", checkNotify},
		{"--logs=false --rm=false detaches", checkDetach},
		{"detaching needs Type=notify", checkDetachNeedsNotify},
		{"-d has no effect", checkDetachFlag},
		{"without a name", checkNoName},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.login()
			test.check(h)
		})
	}
}

// startsApp starts a unit app.service that runs dockhost with these arguments.
func (h *host) startsApp(arguments string, lines ...string) {
	h.Helper()
	h.unit("app.service", service("/usr/bin/dockhost "+arguments, lines...))
	h.start("app")
}

func checkPIDFile(h *host) {
	h.startsApp("--pid-file /run/app.pid run --rm --name app localhost:5000/app:1")
	if got, want := h.output("cat /run/app.pid"), h.pid("app"); got != want {
		h.Errorf("PID file = %s, want %s", got, want)
	}
	h.run("systemctl stop app && ! [ -e /run/app.pid ]")
}

func checkNoLogs(h *host) {
	h.startsApp("--logs=false run --rm --name app localhost:5000/app:1 -log-rate 100")
	h.eventually("docker logs prints lines", func() error {
		if out := h.output("docker logs app 2>&1 | head -5"); strings.Count(out, "\n") < 4 {
			return fmt.Errorf("it prints %q", out)
		}
		return nil
	})
	if out := h.output("journalctl --sync; journalctl -q -o cat --no-pager SYSLOG_IDENTIFIER=app _SYSTEMD_INVOCATION_ID=" + h.property("app.service", "InvocationID")); out != "" {
		h.Errorf("journal = %q, want nothing from the container", out)
	}
}

func checkEnv(h *host) {
	h.startsApp("-e run --rm --name app -e B=run localhost:5000/app:1", "Environment=A=unit B=unit HOME=/unit")
	env := h.output("docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' app")
	if !strings.Contains(env, "A=unit") || strings.Contains(env, "HOME=") || strings.Contains(env, "SYSTEMD_EXEC_PID") {
		h.Errorf("environment = %s, want A of the unit", env)
	}
	if b := h.output("curl -fs \"http://$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' app):8080/env?name=B\""); !strings.Contains(b, "run") {
		h.Errorf("B = %s, want the value of the command line, run", b)
	}
}

func checkNotify(h *host) {
	h.unit("app.service", service("/usr/bin/dockhost -n run --rm --name app localhost:5000/app:1 -ready-after 1h -notify"))
	h.run("systemctl start --no-block app")
	h.eventually("the container runs", func() error {
		if state := h.output("docker inspect -f '{{.State.Status}}' app 2>&1 || true"); state != "running" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
	if state := h.property("app.service", "ActiveState"); state != "activating" {
		h.Errorf("ActiveState = %s before the container sends READY=1, want activating", state)
	}
	h.run("docker exec app /app -send READY=1")
	h.reaches("app.service", "active")
}

func checkDetach(h *host) {
	h.startsApp("--logs=false run --rm=false --name app localhost:5000/app:1")
	h.inUnit("app", "app.service")
	if pid := h.property("app.service", "MainPID"); pid != h.pid("app") {
		h.Errorf("MainPID = %s, want the container's, %s", pid, h.pid("app"))
	}
	if left, _ := h.try("pgrep -af dockhost-supervise"); left != "" {
		h.Errorf("supervisors left: %s", left)
	}
	h.run("systemctl restart app")
	h.inUnit("app", "app.service")
	h.run("systemctl stop app")
	h.eventually("the container has exited", func() error {
		if state := h.output("docker inspect -f '{{.State.Status}}' app"); state != "exited" {
			return fmt.Errorf("it is %s", state)
		}
		return nil
	})
}

func checkDetachNeedsNotify(h *host) {
	h.unit("app.service", strings.Replace(service("/usr/bin/dockhost --logs=false run --name app localhost:5000/app:1"), "Type=notify\n", "", 1))
	h.start("app")
	h.eventually("the journal names Type=notify", func() error {
		if out := h.journal("app.service"); !strings.Contains(out, "Type=notify") {
			return fmt.Errorf("journal = %s", out)
		}
		return nil
	})
}

func checkDetachFlag(h *host) {
	h.startsApp("run -d --rm --name app localhost:5000/app:1")
	h.inUnit("app", "app.service")
	h.run("systemctl stop app")
	h.nothingLeft("app.service")
}

func checkNoName(h *host) {
	h.startsApp("run localhost:5000/app:1")
	h.run("systemctl restart app && systemctl kill -s KILL --kill-who=main app")
	h.run("systemctl reset-failed app; systemctl restart app && systemctl stop app")
	if left := strings.Fields(h.output("docker ps -aq")); len(left) != 1 {
		h.Errorf("containers = %v, want only the last one", left)
	}
}
