//go:build e2e

package e2e

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestDeclareKeepsRestartPolicy declares containers with --restart: systemd restarts
// them as Docker would.
func TestDeclareKeepsRestartPolicy(t *testing.T) {
	h := newHost(t)
	h.loggedIn()
	since := h.now()
	runs := func(h *host, name string) string {
		return h.output("journalctl --no-pager -o cat --since @" + since + " -t " + name + " | grep -cx ran || true")
	}
	h.subtest("no ends for good", func(h *host) {
		h.declares("--name once --restart no localhost:5000/busybox sh -c 'echo ran; sleep 3; exit 3'")
		h.reaches("dockhost@once", "failed")
		h.run("systemctl reload dockhost; systemctl restart dockhost; sleep 3")
		if state, restarts := h.property("dockhost@once", "ActiveState"), h.property("dockhost@once", "NRestarts"); state != "failed" || restarts != "0" {
			h.Errorf("the container is %s after %s restarts, want failed and 0", state, restarts)
		}
		if ran := runs(h, "once"); ran != "1" {
			h.Errorf("the container ran %s times, want 1", ran)
		}
		h.run("dockhostctl rm once")
	})
	h.subtest("on-failure counts", func(h *host) {
		h.declares("--name few --restart on-failure:2 localhost:5000/busybox sh -c 'echo ran; sleep 3; exit 3'")
		h.eventually("it ran three times, and systemd gave up", func() error {
			if ran, state := runs(h, "few"), h.property("dockhost@few", "SubState"); ran != "3" || state != "failed" {
				return fmt.Errorf("it ran %s times, and is in the state %s", ran, state)
			}
			return nil
		})
		h.run("systemctl reload dockhost; systemctl restart dockhost; sleep 3")
		if ran := runs(h, "few"); ran != "3" {
			h.Errorf("the container ran %s times after a restart of the agent, want 3", ran)
		}
		h.run("dockhostctl rm few")
	})
	h.subtest("unless-stopped restarts after success", func(h *host) {
		h.declares("--name often --restart unless-stopped localhost:5000/busybox sh -c 'sleep 3'")
		h.eventually("it runs again", func() error {
			if h.property("dockhost@often", "NRestarts") == "0" {
				return errors.New("no restart yet")
			}
			return nil
		})
		h.run("dockhostctl rm often")
	})
}

// TestRunRefusesToHangBoot starts units whose start would wait for the container's
// end: they fail at once, and say what to write.
func TestRunRefusesToHangBoot(t *testing.T) {
	h := newHost(t)
	h.login()
	for _, test := range []struct{ serviceType, options string }{{"oneshot", "-d"}, {"forking", ""}, {"forking", "-d"}} {
		h.unit("one.service", strings.Replace(service("/usr/bin/dockhost run "+test.options+" --rm --name one localhost:5000/none"), "Type=notify", "Type="+test.serviceType, 1))
		if out, code := h.try("timeout 20 systemctl start one"); code != 1 {
			t.Errorf("Type=%s, %q: the start exits %d, want 1: %s", test.serviceType, test.options, code, out)
		}
		if log := h.said("one.service"); !strings.Contains(log, "write Type=notify in the unit's [Service] section") || strings.Contains(log, "pull") {
			t.Errorf("Type=%s, %q: the unit logs %q, want the line to write, and no pull", test.serviceType, test.options, log)
		}
		h.run("systemctl reset-failed one")
		h.nothingLeft("one.service")
	}
	// A job waits for its container.
	h.unit("one.service", strings.Replace(service("/usr/bin/dockhost run --rm --name one localhost:5000/busybox true"), "Type=notify", "Type=oneshot", 1))
	h.start("one")
	if result := h.property("one.service", "Result"); result != "success" {
		t.Errorf("Result of a job = %s, want success: %s", result, h.said("one.service"))
	}
	h.nothingLeft("one.service")
}
