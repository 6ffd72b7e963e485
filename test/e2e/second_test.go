//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestSecondAgentLeavesTheFirstAlone calls the agent, the supervisor and setup by hand
// while they run: each says what to do, and ends. The container and the API stay.
func TestSecondAgentLeavesTheFirstAlone(t *testing.T) {
	h := newHost(t)
	h.assign(good())
	h.ready("app")
	pid, agent := h.pid("app"), h.property("dockhost", "MainPID")
	if out, code := h.try("timeout 20 dockhost agent"); code != 1 || !strings.Contains(out, "process "+agent+" in dockhost.service") || !strings.Contains(out, "systemctl reload dockhost") {
		t.Errorf("a second agent exits %d and prints %q, want 1, process %s and its unit", code, out, agent)
	}
	// The first supervisor may write what its health checks say.
	const readState = "jq -c '[.phase, .since, .container_id, .config_hash]' /run/dockhost/state/app.json"
	state := h.run(readState)
	if out, code := h.try("timeout 20 /usr/libexec/dockhost/dockhost-supervise app"); code != 125 || !strings.Contains(out, "systemctl start dockhost@app.service") {
		t.Errorf("a second supervisor exits %d and prints %q, want 125 and what to do", code, out)
	}
	if now := h.run(readState); now != state {
		t.Errorf("state = %s, want it as before: %s", now, state)
	}
	if out, code := h.try("dockhost setup --remove && { dockhost setup & first=$!; dockhost setup; second=$?; wait $first && exit $second; }"); code != 0 {
		t.Errorf("two setups at the same time exit %d: %s", code, out)
	}
	h.run("dockhost setup --check")
	if _, code := h.status(); code != 0 || h.property("dockhost", "MainPID") != agent {
		t.Errorf("status exits %d with agent %s, want 0 and %s", code, h.property("dockhost", "MainPID"), agent)
	}

	// Neither a restart of the socket nor the loss of its file needs more than the agent.
	h.run("systemctl restart dockhost.socket")
	h.answersAgain()
	h.run("rm /run/dockhost/agent.sock")
	h.answersAgain()
	if now := h.pid("app"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
}

// answersAgain waits until the agent answers, and all is well.
func (h *host) answersAgain() {
	h.Helper()
	h.eventually("the agent answers", func() error {
		if s, code := h.status(); code != 0 {
			return fmt.Errorf("status exits %d: %+v", code, s.Agent)
		}
		return nil
	})
}

// TestAgentByHandKeepsSocketOfSystemd starts an agent by hand where no unit runs: it
// works, it never takes the socket of systemd, and after SIGKILL the next one replaces
// what it left.
func TestAgentByHandKeepsSocketOfSystemd(t *testing.T) {
	h := newHost(t)
	h.run("systemctl start dockhost.socket")
	if out, code := h.try("timeout 20 dockhost agent"); code != 1 || !strings.Contains(out, "systemctl start dockhost") {
		t.Errorf("an agent beside dockhost.socket exits %d and prints %q, want 1 and what to do", code, out)
	}
	h.answersAgain() // the socket starts the service

	h.run("systemctl stop dockhost.socket dockhost.service; rm -f /run/dockhost/agent.sock")
	const start = "systemd-run -q --unit byhand -p KillMode=mixed -p Restart=no dockhost agent"
	h.Cleanup(func() { h.try("systemctl stop byhand; systemctl reset-failed byhand") })
	h.run(start)
	h.answersAgain()
	h.run("systemctl kill -s KILL byhand")
	h.reaches("byhand", "failed")
	h.run("test -e /run/dockhost/agent.sock; systemctl reset-failed byhand; " + start)
	h.answersAgain()

	// systemd takes the socket over while that agent runs. Its end leaves the socket.
	h.run("systemctl start dockhost.socket")
	h.run("systemctl stop byhand")
	h.answersAgain()
	if state := h.property("dockhost", "ActiveState"); state != "active" {
		t.Errorf("ActiveState of dockhost = %s, want active", state)
	}
}
