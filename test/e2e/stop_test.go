//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestStopKillsAfterGracePeriod stops a container that ignores its stop signal.
func TestStopKillsAfterGracePeriod(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 1s"))
	h.ready("app")
	h.try("systemctl stop dockhost@app")
	if left := h.output("docker ps -aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
	if status := h.property("dockhost@app", "ExecMainStatus"); status != "137" {
		t.Errorf("ExecMainStatus = %s, want 137", status)
	}
}

// TestStopWorksInEachPhase stops a unit in each phase of its start, sends a
// second SIGTERM, and stops it while an operator runs docker stop.
func TestStopWorksInEachPhase(t *testing.T) {
	h := newHost(t)
	h.holdDocker()
	for name, hold := range map[string]string{
		"pulling": `before POST .*/images/create`, "creating": `before POST .*/containers/create`,
		"starting": `before POST .*/start`, "started": `after POST .*/start`,
	} {
		t.Run(name, func(t *testing.T) {
			h := &host{t}
			// The agent may have noticed the stop before, which lasts.
			h.run("rm -rf /run/held /var/lib/dockhost/assignment.json /var/lib/dockhost/updates; docker image rm -f localhost:5000/app:1 >/dev/null 2>&1 || true")
			h.write("/run/hold", hold)
			h.assign(app())
			h.holds()
			supervisor := h.property("dockhost@app", "MainPID")
			h.run("systemctl stop --no-block dockhost@app")
			// A SIGTERM before systemd's own would be the first, not the second.
			h.reaches("dockhost@app", "deactivating", "inactive")
			h.run("kill -TERM " + supervisor + " 2>/dev/null || true; rm /run/hold")
			h.stopsClean()
		})
	}
	t.Run("during docker stop", func(t *testing.T) {
		h := &host{t}
		h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 60s"))
		h.ready("app")
		since := h.now()
		h.run("docker stop -t 60 app >/dev/null 2>&1 & echo")
		h.eventually("docker stop has sent the signal", func() error {
			if out := h.run("journalctl --sync; journalctl --no-pager -o cat -u dockhost@app --since @" + since); !strings.Contains(out, "ignoring SIGTERM") {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
		h.run("systemctl stop --no-block dockhost@app; docker kill app >/dev/null")
		h.reaches("dockhost@app", "failed")
		h.stopsFailed()
	})
}

// TestStopTimeoutBoundsGracePeriod stops a container whose grace period is
// shorter or longer than the stop timeout of its unit. Its FinalKillSignal= is not needed.
func TestStopTimeoutBoundsGracePeriod(t *testing.T) {
	tests := []struct{ name, grace, timeout, status, warned string }{
		{"no timeout", "1s", "infinity", "137", ""},
		{"a timeout shorter than the grace period", "60s", "3", "137", "cuts the container's grace period short"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: "+test.grace, "x-dockhost: {unit: {Service: {TimeoutStopSec: '"+test.timeout+"', FinalKillSignal: SIGABRT}}}"))
			h.ready("app")
			since := h.now()
			h.try("systemctl stop dockhost@app")
			h.unitFails(test.status)
			if result := h.property("dockhost@app", "Result"); result != "exit-code" {
				t.Errorf("Result = %s, want exit-code: the supervisor ends before systemd's timeout", result)
			}
			out := h.run("journalctl --sync; journalctl --no-pager -o cat -u dockhost@app --since @" + since)
			if n := strings.Count(out, "cuts the container's grace period short"); (n == 1) != (test.warned != "") || n > 1 {
				t.Errorf("the journal warns %d times:\n%s", n, out)
			}
			h.stopsFailed()
		})
	}
}
