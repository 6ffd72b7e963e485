//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// What an operator does by the docker command.
func TestDockerCommandsLeaveDocumentedState(t *testing.T) {
	t.Run("what disturbs nothing", func(t *testing.T) {
		h := newHost(t)
		h.assign(app(`ports: ["8080:8080"]`))
		h.ready("app")
		pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
		h.run("docker pause app && docker unpause app && docker rename app other && docker update --memory-swappiness 50 other 2>/dev/null || docker update --blkio-weight 0 other")
		h.run("docker exec other /app -check localhost:8080")
		if h.pid("other") != pid || h.property("dockhost@app", "MainPID") != supervisor || h.property("dockhost@app", "ActiveState") != "active" {
			t.Error("it was restarted, want that it goes on")
		}
		// Under another name it is still removed, with its supervisor killed too.
		h.run("kill -9 " + supervisor)
		h.gone(pid)
		h.ready("app")
		h.run("docker pause app")
		h.stopsClean()
	})
	t.Run("docker restart", func(t *testing.T) {
		h := newHost(t)
		h.assign(app(`command: ["-log-rate", "10"]`, `ports: ["8080:8080"]`, "restart: 'no'"))
		h.ready("app")
		for range 2 {
			pid, supervisor := h.pid("app"), h.property("dockhost@app", "MainPID")
			since := h.output("date +%s.%N")
			h.run("docker restart app >/dev/null")
			h.eventually("it is followed again", func() error {
				if out := h.run("journalctl --no-pager -o cat -u dockhost@app --since @" + since); !strings.Contains(out, "container was restarted by docker restart") {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
			h.ready("app")
			if after := h.pid("app"); after == pid || h.property("dockhost@app", "MainPID") != supervisor {
				t.Errorf("pid = %s, want another one than %s under the same supervisor", after, pid)
			}
			if at := h.run("cat /proc/" + h.pid("app") + "/cgroup"); !strings.Contains(at, "dockhost@app.service/container") {
				t.Errorf("the container lies in %q, want it in its unit", at)
			}
			h.eventually("its output is relayed", func() error {
				if out := h.run("journalctl --no-pager -o cat -t app --since @" + since + " | tail -1"); !strings.Contains(out, "of the test application") {
					return fmt.Errorf("%s", out)
				}
				return nil
			})
		}
		h.run("curl -s -X POST 'localhost:8080/crash?code=5' || true")
		h.unitFails("5")
		h.stopsFailed()
	})
	t.Run("docker rm -f", func(t *testing.T) {
		h := newHost(t)
		h.assign(app("restart: 'no'"))
		h.ready("app")
		h.run("docker rm -f app")
		h.unitFails("137")
		h.saysWhy("container was removed by docker rm")
		h.stopsFailed()
	})
	t.Run("docker kill", func(t *testing.T) {
		h := newHost(t)
		h.assign(strings.Replace(web, "x-dockhost:", "restart: 'no'\n      x-dockhost:", 1))
		h.ready("web")
		pid := h.pid("web")
		h.run("docker kill -s HUP web") // which nginx takes for a reload
		h.run("docker exec web curl -fsk https://localhost/ >/dev/null")
		if h.pid("web") != pid || h.property("dockhost@web", "ActiveState") != "active" {
			t.Error("it was restarted, want that it goes on")
		}
		h.run("docker kill web")
		h.eventually("the unit fails", func() error {
			if status, state := h.property("dockhost@web", "ExecMainStatus"), h.property("dockhost@web", "ActiveState"); status != "137" || state != "failed" {
				return fmt.Errorf("it is %s with %s", state, status)
			}
			return nil
		})
		if text := h.property("dockhost@web", "StatusText"); !strings.Contains(text, "killed by signal 9") {
			t.Errorf("StatusText = %q, want the signal", text)
		}
	})
	t.Run("docker stop that kills", func(t *testing.T) {
		h := newHost(t)
		h.assign(app(`command: ["-ignore-sigterm"]`, "restart: 'no'"))
		h.ready("app")
		h.run("docker stop -t 1 app")
		h.unitFails("137")
		h.saysWhy("did not end on its stop signal and was killed")
		h.stopsFailed()
	})
}
