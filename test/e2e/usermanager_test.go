//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestUserManagerHoldsContainer runs a unit of a user's manager: it asks that manager
// for its settings. A scope below the manager is not a unit of it.
func TestUserManagerHoldsContainer(t *testing.T) {
	h := newHost(t)
	h.login()
	h.run("docker pull -q localhost:5000/busybox; id deployer >/dev/null 2>&1 || useradd -m -G docker deployer")
	uid := h.output("id -u deployer")
	// The test hosts have no pam_systemd, which sets this variable.
	h.write("/run/systemd/system/user@.service.d/e2e.conf", "[Service]\nEnvironment=XDG_RUNTIME_DIR=/run/user/%i\n")
	const unit = "/run/systemd/user/one.service"
	t.Cleanup(func() {
		h.try("systemctl stop user@" + uid + " user-runtime-dir@" + uid + "; rm -rf /run/systemd/system/user@.service.d " + unit + "; systemctl daemon-reload")
	})
	h.run("systemctl daemon-reload && systemctl start user@" + uid)
	as := "runuser -u deployer -- env XDG_RUNTIME_DIR=/run/user/" + uid + " "

	h.write(unit, "[Service]\nType=notify\nSyslogIdentifier=shop\nTimeoutStopSec=7\nKillMode=control-group\n"+
		"ExecStart=/usr/bin/dockhost run --rm --init --name one localhost:5000/busybox sh -c 'echo by user; sleep infinity'\n")
	since := h.now()
	h.run(as + "systemctl --user daemon-reload; timeout 60 " + as + "systemctl --user start one")
	h.inUnit("one", "one.service")
	if cgroup := h.cgroups("one"); !strings.Contains(cgroup, "/user@"+uid+".service/") {
		t.Errorf("cgroup of the container = %q, want it below user@%s.service", cgroup, uid)
	}
	h.run("docker exec one true")
	h.eventually("the journal has the settings of the user's unit", func() error {
		log := h.run("journalctl --sync; journalctl -q -o short --since @" + since + " _UID=" + uid)
		if !strings.Contains(log, "shop[") || !strings.Contains(log, `lines="Delegate=yes KillMode=mixed" unit=one.service`) {
			return fmt.Errorf("journal = %s", log)
		}
		return nil
	})
	if out := h.run("dockhostctl logs one"); !strings.Contains(out, "by user") || !strings.Contains(out, "Started one.service") {
		t.Errorf("dockhostctl logs = %s, want the output of the container and what the user's manager says", out)
	}
	if out := h.run("dockhostctl top --interval 100ms one"); !strings.Contains(out, "one.service  ready") {
		t.Errorf("dockhostctl top = %s, want the user's unit", out)
	}
	if out, code := h.try("timeout 60 " + as + "systemctl --user stop one; " + as + "systemctl --user show -p Result one"); code != 0 || !strings.Contains(out, "Result=success") {
		t.Errorf("the stop exits %d: %s", code, out)
	}
	h.nothingLeft("one.service")

	h.write(unit, "[Service]\nType=forking\nExecStart=/usr/bin/dockhost run --rm --name one localhost:5000/busybox true\n")
	h.run(as + "systemctl --user daemon-reload")
	if _, code := h.try("timeout 60 " + as + "systemctl --user start one"); code == 0 {
		t.Error("a unit with Type=forking starts")
	}
	if log := h.run("journalctl --sync; journalctl -q -o cat --since @" + since + " _UID=" + uid); !strings.Contains(log, "one.service has Type=forking") {
		t.Errorf("journal = %s, want the type of the user's unit", log)
	}
}
