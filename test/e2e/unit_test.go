//go:build e2e

package e2e

import (
	"fmt"
	"strings"
)

// unit installs a hand-written unit until the test ends.
func (h *host) unit(name, text string) {
	h.Helper()
	path := "/etc/systemd/system/" + name
	h.write(path, text)
	h.run("systemctl daemon-reload")
	h.Cleanup(func() {
		h.try("systemctl kill -s KILL " + name + "; systemctl stop " + name + "; systemctl reset-failed " + name +
			"; rm -rf " + path + " " + path + ".d; systemctl daemon-reload")
	})
}

// start starts units within two minutes.
func (h *host) start(units string) {
	h.Helper()
	h.run("timeout 120 systemctl start " + units)
}

// said returns the log lines of the unit's processes since its last start. For the last line
// of a process that has ended already journald finds only what the line says itself, and the
// pid.
func (h *host) said(unit string) string {
	h.Helper()
	invocation := "SYSTEMD_INVOCATION_ID=" + h.property(unit, "InvocationID")
	return h.run("journalctl --sync; journalctl --no-pager -o cat -b _" + invocation + " + OBJECT_" + invocation + " + _PID=" + h.property(unit, "ExecMainPID"))
}

// service returns a minimal unit for `dockhost run`, with more lines for its
// [Service] section.
func service(command string, lines ...string) string {
	return "[Unit]\nAfter=docker.service\n[Service]\nType=notify\nDelegate=yes\nKillMode=mixed\nTimeoutStopSec=20\nExecStart=" + command +
		"\n" + strings.Join(lines, "\n") + "\n"
}

// login logs root in to the registry, until the test ends.
func (h *host) login() {
	h.Helper()
	h.run("docker login -u deploy -p s3cret localhost:5000 2>/dev/null")
	h.Cleanup(func() { h.try("rm -rf /root/.docker") })
}

// inUnit checks that the unit's cgroup holds the container's first process.
func (h *host) inUnit(container, unit string) {
	h.Helper()
	cgroup := h.output("cat /proc/" + h.pid(container) + "/cgroup")
	if !strings.Contains(cgroup, "/"+unit+"/container") {
		h.Errorf("cgroup of container %s = %q, want one of %s", container, cgroup, unit)
	}
}

// nothingLeft checks that a unit has left no container, placement, cgroup or
// process behind.
func (h *host) nothingLeft(unit string) {
	h.Helper()
	if left := h.output("docker ps -aq --no-trunc"); left != "" {
		h.Errorf("containers left: %s", left)
	}
	if left := h.output("ls /run/dockhost/runtime"); left != "" {
		h.Errorf("left in /run/dockhost/runtime: %s", left)
	}
	if left := h.output("find /sys/fs/cgroup -type d -name '" + unit + "'"); left != "" {
		h.Errorf("cgroups left: %s", left)
	}
	if left, _ := h.try("pgrep -af 'dockhost-supervise|containerd-shim'"); left != "" {
		h.Errorf("processes left: %s", left)
	}
}

// answers reports whether a web server on the host answers a request.
func (h *host) answers(url string) error {
	h.Helper()
	if out, code := h.try("curl -fsSk -o /dev/null --max-time 5 " + url); code != 0 {
		return fmt.Errorf("%s", out)
	}
	return nil
}
