//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// tells is a script that writes the name of each signal that it gets to a file, and ends
// with SIGTERM.
func tells(file string, signals ...string) string {
	script := "trap 'echo TERM >>" + file + "; exit 0' TERM; "
	for _, sig := range signals {
		script += fmt.Sprintf("trap 'echo %[1]s >>%[2]s' %[1]s; ", sig, file)
	}
	return script + "sleep infinity & while :; do wait; done"
}

// told waits until the last line of a file is this.
func (h *host) told(file, want string) {
	h.Helper()
	h.eventually("the container gets "+want, func() error {
		if out, _ := h.try("tail -n 1 " + file); strings.TrimSpace(out) != want {
			return fmt.Errorf("the last signal is %q", out)
		}
		return nil
	})
}

// TestSignalsStopOrReachContainer sends units signals: what KillSignal= names stops the
// unit if systemd sends it to stop the unit, and reaches the container if someone sends it.
func TestSignalsStopOrReachContainer(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("rm -rf /run/told; mkdir /run/told")
	h.assign(shell(tells("/told/app", "QUIT"), "init: false", "volumes: ['/run/told:/told']",
		"x-dockhost: {unit: {Service: {KillSignal: SIGQUIT, TimeoutStopSec: 20}}}"))
	h.ready("app")
	h.run("systemctl stop dockhost.socket dockhost.service")
	main := h.property("dockhost@app", "MainPID")
	h.run("systemctl kill -s QUIT dockhost@app")
	h.told("/run/told/app", "QUIT")
	if now := h.property("dockhost@app", "MainPID"); now != main || h.property("dockhost@app", "ActiveState") != "active" {
		t.Errorf("MainPID = %s, want %s, and the unit active", now, main)
	}
	h.run("systemctl stop dockhost@app")
	h.told("/run/told/app", "TERM")
	if result := h.property("dockhost@app", "Result"); result != "success" {
		t.Errorf("Result = %s, want success", result)
	}

	h.unit("own.service", service("/usr/bin/dockhost run --rm --name own -v /run/told:/told localhost:5000/busybox sh /told/script", "KillSignal=SIGRTMIN+3"))
	h.write("/run/told/script", tells("/told/own", "QUIT", "ABRT", "USR2", "TTIN", "39"))
	h.start("own")
	for sent, want := range map[string]string{"QUIT": "QUIT", "ABRT": "ABRT", "USR2": "USR2", "TTIN": "TTIN", "RTMIN+5": "39"} {
		h.run("systemctl kill --kill-who=main -s " + sent + " own")
		h.told("/run/told/own", want)
	}
	h.run("systemctl stop own")
	h.told("/run/told/own", "TERM")
	h.wentClean("own", "own.service")
	if log := h.said("own.service"); strings.Contains(log, "goroutine") {
		t.Errorf("the journal has a dump of goroutines:\n%s", log)
	}
}
