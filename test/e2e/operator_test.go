//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestDockerCommandsLeaveDocumentedState runs docker commands that an operator
// may use on a container of a unit.
func TestDockerCommandsLeaveDocumentedState(t *testing.T) {
	tests := []struct {
		name  string
		check func(h *host)
	}{
		{"commands that disturb nothing", checkHarmlessCommands},
		{"docker restart", checkDockerRestart},
		{"docker rm -f", checkDockerRemove},
		{"docker kill", checkDockerKill},
		{"docker stop that kills", checkDockerStop},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.check(newHost(t)) })
	}
}

func checkHarmlessCommands(h *host) {
	h.assign(app(`ports: ["8080:8080"]`))
	h.ready("app")
	pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
	h.run("docker pause app && docker unpause app && docker rename app other && docker update --memory-swappiness 50 other 2>/dev/null || docker update --blkio-weight 0 other")
	h.run("docker exec other /app -check localhost:8080")
	if h.pid("other") != pid || h.property("dockhost@app", "MainPID") != supervisor || h.property("dockhost@app", "ActiveState") != "active" {
		h.Error("the container was restarted, want it to keep running")
	}
	// The next supervisor removes the container, although it has another name.
	h.run("kill -9 " + supervisor)
	h.gone(pid)
	h.ready("app")
	h.run("docker pause app")
	h.stopsClean()
}

func checkDockerRestart(h *host) {
	h.assign(app(`command: ["-log-rate", "10"]`, `ports: ["8080:8080"]`, "restart: 'no'"))
	h.ready("app")
	for range 2 {
		h.dockerRestart()
	}
	h.run("curl -s -X POST 'localhost:8080/crash?code=5' || true")
	h.unitFails("5")
	h.stopsFailed()
}

// dockerRestart restarts the container app by docker restart, and checks that
// its supervisor follows the new process.
func (h *host) dockerRestart() {
	h.Helper()
	pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
	since := h.now()
	h.run("docker restart app >/dev/null")
	h.eventually("the supervisor follows the container again", func() error {
		if out := h.run("journalctl --sync; journalctl --no-pager -o cat -u dockhost@app --since @" + since); !strings.Contains(out, "container was restarted by docker restart") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
	h.ready("app")
	if after := h.pid("app"); after == pid || h.property("dockhost@app", "MainPID") != supervisor {
		h.Errorf("pid = %s, want another than %s under the same supervisor", after, pid)
	}
	if got := h.run("cat /proc/" + h.pid("app") + "/cgroup"); !strings.Contains(got, "dockhost@app.service/container") {
		h.Errorf("cgroup of the container = %q, want its unit's", got)
	}
	h.eventually("its output is relayed", func() error {
		if out := h.run("journalctl --sync; journalctl --no-pager -o cat -t app --since @" + since + " | tail -1"); !strings.Contains(out, "of the test application") {
			return fmt.Errorf("%s", out)
		}
		return nil
	})
}

func checkDockerRemove(h *host) {
	h.assign(app("restart: 'no'"))
	h.ready("app")
	h.run("docker rm -f app")
	h.unitFails("137")
	h.saysWhy("container was removed by docker rm")
	h.stopsFailed()
}

func checkDockerKill(h *host) {
	h.assign(strings.Replace(web, "x-dockhost:", "restart: 'no'\n      x-dockhost:", 1))
	h.ready("web")
	pid := h.pid("web")
	h.run("docker kill -s HUP web") // nginx reloads on SIGHUP
	h.run("docker exec web curl -fsk https://localhost/ >/dev/null")
	if h.pid("web") != pid || h.property("dockhost@web", "ActiveState") != "active" {
		h.Error("the container was restarted, want it to keep running")
	}
	h.run("docker kill web")
	h.eventually("the unit fails", func() error {
		if status, state := h.property("dockhost@web", "ExecMainStatus"), h.property("dockhost@web", "ActiveState"); status != "137" || state != "failed" {
			return fmt.Errorf("it is %s with %s", state, status)
		}
		return nil
	})
	if text := h.property("dockhost@web", "StatusText"); !strings.Contains(text, "killed by signal 9") {
		h.Errorf("StatusText = %q, want the signal", text)
	}
}

func checkDockerStop(h *host) {
	h.assign(app(`command: ["-ignore-sigterm"]`, "restart: 'no'"))
	h.ready("app")
	h.run("docker stop -t 1 app")
	h.unitFails("137")
	h.saysWhy("did not end on its stop signal and was killed")
	h.stopsFailed()
}
