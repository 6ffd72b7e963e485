//go:build e2e

package e2e

import (
	"errors"
	"strings"
	"testing"
)

// TestContainerCannotDelayItsStop stops a container that says all the time that it
// stops already and needs more time, and that ignores its stop signal.
func TestContainerCannotDelayItsStop(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-notify", "-ignore-sigterm"]`, "stop_grace_period: 2s", "x-dockhost: {notify: container, unit: {Service: {TimeoutStopSec: 20s}}}"))
	h.ready("app")
	h.run(`docker exec app /app -send 'STOPPING=1\nEXTEND_TIMEOUT_USEC=3600000000\nERRNO=4000000000\nWATCHDOG_USEC=3600000000'`)
	h.run(`systemd-run --quiet --unit=hostile --property=Type=exec bash -c '
		while docker exec app /app -send "STOPPING=1\nEXTEND_TIMEOUT_USEC=3600000000"; do :; done'`)
	h.Cleanup(func() { h.try("systemctl stop hostile; systemctl reset-failed hostile") })
	// On a slow host its grace period may be over by now, and the supervisor ends the container.
	if state := h.property("dockhost@app", "ActiveState"); state == "deactivating" && !strings.Contains(h.journal("dockhost@app"), "did not end within") {
		t.Errorf("the container's STOPPING=1 has made its unit %s: systemd would send no stop signal", state)
	}
	if out, status := h.try("timeout 19 systemctl stop dockhost@app"); status == 124 {
		t.Errorf("systemctl stop waits for more than TimeoutStopSec: %s", out)
	}
	if state := h.property("dockhost@app", "ActiveState"); state != "failed" && state != "inactive" {
		t.Errorf("ActiveState = %s after the stop", state)
	}
	if left := h.output("docker ps -aq"); left != "" {
		t.Errorf("containers left: %s", left)
	}
}

// TestStopDelaysNoStart takes a container from the assignment that ignores its stop signal,
// and assigns another one, which starts and is ready while the first one still stops. So
// does a third one, after it.
func TestStopDelaysNoStart(t *testing.T) {
	h := newHost(t)
	h.assign(app(`command: ["-ignore-sigterm"]`, "stop_grace_period: 10m"))
	h.ready("app")
	h.userData("#cloud-config\ndockhost: {containers: {other: {image: 'localhost:5000/app:1'}}}\n")
	h.run("systemctl reload --no-block dockhost.service")
	h.ready("other")
	h.run("dockhostctl run --name third localhost:5000/app:1 && dockhostctl rm third")
	if state := h.property("dockhost@app", "ActiveState"); state != "deactivating" {
		t.Errorf("ActiveState = %s once the others were started, want deactivating: they waited for its stop", state)
	}
	h.run("systemctl kill --kill-whom=all --signal=KILL dockhost@app")
	h.reaches("dockhost@app", "inactive")
	h.eventually("nothing of app is left", func() error {
		if left := h.output("ls /run/dockhost/containers /run/dockhost/state; docker ps -a --format '{{.Names}}'"); strings.Contains(left, "app") {
			return errors.New(left)
		}
		return nil
	})
}

// TestNewNameGetsPortOfOldOne gives a container another name. The port and the volume are
// those of the one that stops, so that the new one waits for its stop, and does not fail.
func TestNewNameGetsPortOfOldOne(t *testing.T) {
	h := newHost(t)
	named := func(name string) string {
		return "dockhost: {containers: {" + name + ": {image: 'localhost:5000/app:1', ports: ['8088:8080'], volumes: ['named:/data'], " +
			"command: [-ignore-sigterm], stop_grace_period: 3s}}, volumes: {named: {}}}\n"
	}
	h.assign(named("old"))
	h.ready("old")
	h.userData("#cloud-config\n" + named("new"))
	since := h.now()
	h.run("systemctl reload dockhost")
	if out, _ := h.try("dockhostctl status new"); !strings.Contains(out, "it starts after the stop of old (port 8088 ") {
		t.Errorf("status does not say what the new one waits for: %s", out)
	}
	h.run("dockhostctl wait new --for ready --timeout 60s")
	if out := h.output("journalctl --sync; journalctl -q -o cat -t dockhost --grep restored --since @" + since + " || true"); out != "" {
		t.Errorf("files of a container that waits were restored: %s", out)
	}
	if got := h.output("systemctl show --value -p NRestarts dockhost@new; journalctl -q --no-pager -o cat -u dockhost@new -p err --since @" + since); got != "0" {
		t.Errorf("restarts and errors of the new one: %s, want none", got)
	}
}

// TestEmergencyReachesNoTerminal runs a container whose lines have the priority emerg,
// which journald would write to all terminals of the host.
func TestEmergencyReachesNoTerminal(t *testing.T) {
	h := newHost(t)
	h.login()
	h.unit("one.service", strings.Replace(service(`/usr/bin/dockhost run --rm --name one localhost:5000/busybox sh -c 'echo "<0>fire"; echo "<3>smoke"'`), "Type=notify", "Type=oneshot", 1))
	since := h.now()
	h.start("one")
	const lines = `journalctl --sync; journalctl -q -o json -u one --since @%s _TRANSPORT=stdout | jq -r 'select(._COMM == "dockhost-superv") | [.PRIORITY, .MESSAGE] | join(" ")' | sort`
	if out := h.output(strings.Replace(lines, "%s", since, 1)); out != "1 fire\n3 smoke" {
		t.Errorf("priorities and lines = %q, want alert instead of emerg", out)
	}
}
