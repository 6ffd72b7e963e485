//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// TestStopLasts stops containers in both ways: they stay stopped over everything that
// starts containers, a reboot included, until someone starts them.
func TestStopLasts(t *testing.T) {
	h := newHost(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.assign(operated())
	for _, name := range []string{"one", "two", "three", "stubborn", "failing"} {
		if name != "failing" {
			h.ready(name)
		}
	}
	if out := h.run("dockhostctl stop one"); !strings.Contains(out, "one: stopped") {
		t.Errorf("dockhostctl stop prints %q, want that it is stopped", out)
	}
	h.try("systemctl stop dockhost@two")
	h.try("systemctl stop dockhost@stubborn")
	h.eventually("the failing container waits for its next start", func() error {
		if state := h.property("dockhost@failing", "SubState"); state != "auto-restart" {
			return fmt.Errorf("SubState = %s", state)
		}
		return nil
	})
	h.run("systemctl stop dockhost@failing")
	stays := func(after string) {
		t.Helper()
		for name, by := range map[string]string{"one": "dockhostctl stop", "two": "systemctl stop", "stubborn": "systemctl stop", "failing": "systemctl stop"} {
			h.isStopped(name, by, after)
		}
		h.ready("three")
		if s, code := h.status(); code != 0 || !s.Well {
			t.Errorf("status exits %d after %s, want 0: a stop is no fault", code, after)
		}
	}
	stays("the stop")
	h.run("systemctl reload dockhost")
	stays("a reload")
	h.run("systemctl restart dockhost")
	stays("a restart of the agent")
	h.run("systemctl kill -s KILL --kill-who=main dockhost.service; systemctl restart dockhost@three")
	stays("a kill of the agent")
	h.reboots()
	stays("a reboot")

	// What starts them.
	if out := h.run("dockhostctl start one"); !strings.Contains(out, "one: ready") {
		t.Errorf("dockhostctl start prints %q, want that it is ready", out)
	}
	h.run("systemctl start dockhost@two; systemctl reload dockhost")
	for _, name := range []string{"one", "two"} {
		if c := h.ready(name); c.Stopped != nil {
			t.Errorf("%s is stopped by %+v after its start", name, c.Stopped)
		}
	}
	h.assign(strings.Replace(operated(), "-ignore-sigterm", "-ignore-sigterm, -log-rate, '1'", 1))
	if c := h.ready("stubborn"); c.Stopped != nil {
		t.Errorf("stubborn is stopped by %+v after a change of its assignment", c.Stopped)
	}
	h.isStopped("failing", "systemctl stop", "a change of another container")
}

// operated assigns containers of the test application: one that ignores its stop signal, and one that
// fails, too.
func operated() string {
	const image = "localhost:5000/app:1"
	section := "dockhost:\n  containers:\n"
	for _, name := range []string{"one", "two", "three"} {
		section += "    " + name + ": {image: '" + image + "'}\n"
	}
	return section + "    stubborn: {image: '" + image + "', command: [-ignore-sigterm], stop_grace_period: 1s}\n" +
		"    failing: {image: '" + image + "', command: [-no-such-flag], x-dockhost: {notify: 'http://:8080/healthz', unit: {Service: {RestartSec: 30}}}}\n" + registries
}

// isStopped waits until a container is shown as stopped by a command. Its unit must not
// run then.
func (h *host) isStopped(name, by, after string) {
	h.Helper()
	var c api.Container
	h.eventually(name+" is stopped after "+after, func() (err error) {
		if c, err = h.container(name); err != nil {
			return err
		}
		if c.Stopped == nil || c.ActiveState != "inactive" && c.ActiveState != "failed" {
			return fmt.Errorf("status = %+v", c)
		}
		return nil
	})
	if c.Stopped.By != by || !c.Well() {
		h.Errorf("%s is stopped by %+v after %s, well: %v, want %s, and no fault", name, c.Stopped, after, c.Well(), by)
	}
}

// TestOtherStopsDoNotLast ends units in ways that are not a stop by someone: each
// container comes back.
func TestOtherStopsDoNotLast(t *testing.T) {
	h := newHost(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.assign(operated())
	h.ready("one")
	for _, test := range []struct{ name, script string }{
		{"systemctl restart", "systemctl restart dockhost@one"},
		{"docker stop", "docker stop one"},
		{"kill of the supervisor", "systemctl kill -s TERM --kill-who=main dockhost@one"},
		{"stop of all of dockhost", "systemctl stop dockhost.service dockhost.socket 'dockhost@*.service'; systemctl start dockhost.socket dockhost.service"},
		{"stop and start", "systemctl stop dockhost@one; systemctl start dockhost@one"},
		{"rescue mode", "systemctl --no-block isolate rescue.target; while systemctl is-active dockhost@one dockhost.service; do sleep 0.1; done; timeout 60 systemctl isolate multi-user.target"},
	} {
		h.subtest(test.name, func(h *host) {
			pid := h.pid("one")
			h.run(test.script)
			h.eventually("the container is back", func() error {
				c, err := h.container("one")
				if err != nil || !c.Ready || c.Stopped != nil {
					return fmt.Errorf("status = %+v, %w", c, err)
				}
				now, code := h.try("docker inspect -f '{{.State.Pid}}' one")
				if now = strings.TrimSpace(now); code != 0 || now == "0" || now == pid {
					return fmt.Errorf("the container's PID is %s, %s before the stop", now, pid)
				}
				return nil
			})
		})
	}
	// A unit that the container requires is stopped.
	h.unit("needed.service", "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n")
	h.run("systemctl start needed; mkdir -p /run/systemd/system/dockhost@two.service.d; printf '[Unit]\nRequires=needed.service\n' >/run/systemd/system/dockhost@two.service.d/60-needed.conf; systemctl daemon-reload")
	h.run("systemctl stop needed")
	h.reaches("dockhost@two", "inactive")
	h.run("systemctl start needed; systemctl reload dockhost")
	if c := h.ready("two"); c.Stopped != nil {
		t.Errorf("two is stopped by %+v, want it running", c.Stopped)
	}
}

// TestOperate starts, stops, restarts and reloads a container, with the exit statuses for
// scripts.
func TestOperate(t *testing.T) {
	h := newHost(t)
	h.assign(operated())
	h.ready("one")
	pid := h.pid("one")
	if out := h.run("dockhostctl restart one"); !strings.Contains(out, "one: ready") || h.pid("one") == pid {
		t.Errorf("dockhostctl restart prints %q, and leaves PID %s, want another one", out, pid)
	}
	out, code := h.try("dockhostctl restart failing")
	if code != 3 || !strings.Contains(out, "tries again") {
		t.Errorf("dockhostctl restart of a failing container exits %d: %q, want 3 and what is still being tried", code, out)
	}
	out, code = h.try("dockhostctl reload one")
	if code != 1 || !strings.Contains(out, "x-dockhost.reload") {
		t.Errorf("dockhostctl reload exits %d: %q, want 1 and what is missing", code, out)
	}
	out, code = h.try("dockhostctl run --name broken --sdnotify healthy localhost:5000/app:1 -no-such-flag")
	if code != 3 || !strings.Contains(out, "tries again") {
		t.Errorf("dockhostctl run of a failing container exits %d: %q, want 3 and what is still being tried", code, out)
	}
	// The same declaration starts a container that is stopped.
	h.run("dockhostctl run --name local localhost:5000/app:1; dockhostctl stop local")
	h.isStopped("local", "dockhostctl stop", "its stop")
	h.run("dockhostctl run --name local localhost:5000/app:1")
	if c := h.ready("local"); c.Stopped != nil {
		t.Errorf("local is stopped by %+v after dockhostctl run", c.Stopped)
	}
	h.run("dockhostctl stop local; dockhostctl rm local; dockhostctl run --name local localhost:5000/app:1")
	h.run("dockhostctl rm local broken")
}

// TestCommandsForContainers runs the commands that need a container of a real Docker, and
// some without access.
func TestCommandsForContainers(t *testing.T) {
	h := newHost(t)
	h.assign(operated())
	h.ready("one")
	if out, code := h.try("echo hello | dockhostctl exec one -- /app copy; dockhostctl exec one /app -no-such-flag 2>/dev/null"); code != 2 || !strings.Contains(out, "hello") {
		t.Errorf("dockhostctl exec exits %d: %q, want the output, and then 2", code, out)
	}
	if out := h.run("dockhostctl pull one"); !strings.Contains(out, "which the container runs") {
		t.Errorf("dockhostctl pull prints %q, want that the container runs it", out)
	}
	h.write("/root/shop.yaml", "services:\n  shop: {image: 'localhost:5000/app:1'}\n")
	h.run("dockhostctl apply /root/shop.yaml")
	h.ready("shop")
	h.run("dockhostctl rm shop.yaml")
	h.reaches("dockhost@shop", "inactive")
	if out := h.run("dockhostctl config"); !strings.Contains(out, "housekeeping.high") {
		t.Errorf("dockhostctl config prints %q, want the settings", out)
	}
	for _, command := range []string{"dockhostctl stop one", "dockhostctl run --name xy nginx", "dockhost setup"} {
		out, code := h.try("setpriv --reuid=65534 --regid=65534 --clear-groups " + command)
		if code != 1 || !strings.Contains(out, "sudo") {
			t.Errorf("%s without access exits %d: %q, want 1 and sudo", command, code, out)
		}
	}
}
