//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// stoppable is a container that writes a line to /told/app for each stop signal.
func stoppable(keys ...string) string {
	return shell("trap 'echo told >>/told/app; exit 0' TERM; sleep infinity & while :; do wait; done",
		append([]string{"init: false", "volumes: ['/run/told:/told']", "stop_grace_period: 2s", "x-dockhost: {unit: {Service: {TimeoutStopSec: 6}}}"}, keys...)...)
}

// stopped stops processes of the host (SIGSTOP) until the test ends or continue is
// called.
func (h *host) stopped(pids string) (continued func()) {
	h.Helper()
	h.run("kill -STOP " + pids)
	continued = func() { h.try("kill -CONT " + pids) }
	h.Cleanup(continued)
	return continued
}

// TestStopWhileDockerHangs stops a unit while dockerd, containerd or the container's shim
// does not move: the container gets its stop signal, once, and the unit ends in time. The
// next start heals what is left.
func TestStopWhileDockerHangs(t *testing.T) {
	h := newHost(t)
	h.run("mkdir -p /run/told")
	h.assign(stoppable())
	h.ready("app")
	h.run("systemctl stop dockhost.socket dockhost.service")
	for _, hanging := range []string{"", "dockerd", "containerd", "containerd-shim"} {
		h.subtest("hanging: "+hanging, func(h *host) {
			h.run("rm -f /run/told/app; systemctl start dockhost@app")
			continued := func() {}
			if hanging != "" {
				continued = h.stopped(h.output("pgrep -x " + hanging))
			}
			h.try("systemctl stop dockhost@app")
			if result := h.property("dockhost@app", "Result"); result != "success" {
				h.Errorf("Result = %s, want success: the supervisor ends before systemd's timeout", result)
			}
			if told := h.output("cat /run/told/app"); told != "told" {
				h.Errorf("the container says %q, want that it got its stop signal once", told)
			}
			continued()
			h.run("systemctl start dockhost@app")
			if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
				h.Errorf("containers after the next start = %v, want one", ids)
			}
		})
	}
	h.stopsClean()
}

// TestStopWithHookWhileContainerdHangs stops a unit whose pre_stop cannot end, because
// containerd does not move: the container gets its stop signal, and the unit ends in time.
func TestStopWithHookWhileContainerdHangs(t *testing.T) {
	h := newHost(t)
	h.run("mkdir -p /run/told; rm -f /run/told/app")
	h.assign(stoppable("post_start: [{command: ['true']}]", "pre_stop: [{command: ['true']}]"))
	h.ready("app")
	h.run("systemctl stop dockhost.socket dockhost.service")
	continued := h.stopped(h.output("pgrep -x containerd"))
	h.try("systemctl stop dockhost@app")
	if result := h.property("dockhost@app", "Result"); result != "success" {
		t.Errorf("Result = %s, want success: the supervisor ends before systemd's timeout", result)
	}
	if told := h.output("cat /run/told/app"); told != "told" {
		t.Errorf("the container says %q, want that it got its stop signal once", told)
	}
	continued()
	h.run("systemctl start dockhost@app")
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		t.Errorf("containers after the next start = %v, want one", ids)
	}
	h.stopsClean()
}

// TestStopSignalIgnoredWhileDockerHangs stops a container that ignores its stop signal,
// and kills a supervisor, while dockerd does not move.
func TestStopSignalIgnoredWhileDockerHangs(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 1s", "x-dockhost: {unit: {Service: {TimeoutStopSec: 5}}}"))
	h.ready("app")
	continued := h.stopped("$(pgrep -x dockerd)")
	h.run("kill -9 " + h.property("dockhost@app", "MainPID"))
	h.reaches("dockhost@app", "activating")
	continued()
	h.ready("app")
	continued = h.stopped("$(pgrep -x dockerd)")
	h.try("systemctl stop dockhost.socket dockhost.service; systemctl stop dockhost@app")
	if result, status := h.property("dockhost@app", "Result"), h.property("dockhost@app", "ExecMainStatus"); result != "exit-code" || status != "137" {
		h.Errorf("Result = %s, ExecMainStatus = %s, want exit-code, 137: the supervisor ends before systemd's timeout", result, status)
	}
	continued()
	h.run("systemctl reset-failed dockhost@app; systemctl start dockhost@app")
	h.inUnit("app", "dockhost@app.service")
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		h.Errorf("containers = %v, want one", ids)
	}
}
