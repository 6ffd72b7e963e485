//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// leftNothing checks that the host holds no trace of a container after its unit
// has stopped.
func (h *host) leftNothing() {
	h.Helper()
	places := map[string]string{
		"containers":        "docker ps -aq",
		"placements":        "ls -A /run/dockhost/runtime",
		"cgroups":           "find /sys/fs/cgroup -type d -name 'dockhost@app.service'",
		"processes":         "pgrep -a containerd-shim; pgrep -xa app",
		"mounts":            "grep -E '/var/lib/docker/(overlay2/.*/merged|rootfs/|containers/)' /proc/self/mounts",
		"bundles":           "ls -A /run/containerd/io.containerd.runtime.v2.task/moby",
		"runtime's states":  "find /run/docker -mindepth 3 -maxdepth 3 -path '*/runtime-*/moby/*'",
		"anonymous volumes": "docker volume ls -q | grep -E '^[0-9a-f]{64}$' || true",
		"links":             "ip -o link show type veth | grep -v ': eth0@'",
	}
	for what, script := range places {
		// Docker answers before it has cleaned up.
		h.eventually("no "+what+" are left", func() error {
			if out, _ := h.try(script + " 2>/dev/null"); out != "" {
				return fmt.Errorf("%s", out)
			}
			return nil
		})
	}
}

// stopsClean stops the unit, and checks that it succeeded and left nothing.
func (h *host) stopsClean() {
	h.Helper()
	h.run("systemctl stop dockhost.socket dockhost.service dockhost@app")
	if result := h.property("dockhost@app", "Result"); result != "success" {
		h.Errorf("Result = %s, want success", result)
	}
	h.leftNothing()
}

// stopsFailed is stopsClean for a unit that has already failed.
func (h *host) stopsFailed() {
	h.Helper()
	h.run("systemctl stop dockhost.socket dockhost.service dockhost@app; systemctl reset-failed dockhost@app")
	h.leftNothing()
}

// unitFails waits until the unit has failed, and checks its exit status.
func (h *host) unitFails(status string) {
	h.Helper()
	h.reaches("dockhost@app", "failed")
	if got := h.property("dockhost@app", "ExecMainStatus"); got != status {
		h.Errorf("ExecMainStatus = %s, want %s", got, status)
	}
}

// saysWhy checks that the status, STATUS= and the journal contain an error.
func (h *host) saysWhy(want string) {
	h.Helper()
	c, err := h.container("app")
	if err != nil || c.LastError == nil || !strings.Contains(c.LastError.Message, want) {
		h.Errorf("status = %+v, %v, want the error %q", c, err, want)
	}
	if text := h.property("dockhost@app", "StatusText"); !strings.Contains(text, want) {
		h.Errorf("StatusText = %q, want %q", text, want)
	}
	if journal := h.journal("dockhost@app"); !strings.Contains(journal, want) {
		h.Errorf("the journal lacks %q:\n%s", want, journal)
	}
}

// gone waits until a process has exited.
func (h *host) gone(pid string) {
	h.Helper()
	h.eventually("process "+pid+" is gone", func() error {
		if _, code := h.try("kill -0 " + pid); code == 0 {
			return fmt.Errorf("it still runs")
		}
		return nil
	})
}
