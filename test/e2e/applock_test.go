//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestApplicationDelaysUpdate checks that an update waits while the application has
// locked a file, and while a command in the container says so, and that the journal
// explains how the updates ended.
func TestApplicationDelaysUpdate(t *testing.T) {
	tests := []struct{ name, lock, busy, free, why string }{
		{
			"file", "{file: /run/shop/lock}",
			"mkdir -p /run/shop && systemd-run -q --unit=test-lock flock /run/shop/lock sleep infinity && while flock -n /run/shop/lock true; do :; done",
			"systemctl stop test-lock", "the application holds its lock /run/shop/lock",
		},
		{
			"exec", `{exec: [/bin/sh, -c, "test ! -e /busy || { echo job 7 runs; exit 75; }"]}`,
			"docker exec app touch /busy", "docker exec app rm /busy", "the application must not be stopped now: job 7 runs",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			h := newHost(t)
			h.Cleanup(func() { h.try("systemctl stop test-lock; rm -rf /run/shop") })
			assign := func(revision string) {
				h.Helper()
				h.assign("dockhost:\n  containers:\n    app:\n      image: localhost:5000/busybox\n      command: [sleep, infinity]\n      init: true\n" +
					"      labels: {revision: " + revision + "}\n      deploy: {update_config: {monitor: 1s}}\n" +
					"      x-dockhost: {notify: started, update: {lock: " + test.lock + "}}\n" + registries)
			}
			assign("one")
			h.updateIs("confirmed", "")
			h.run(test.busy)
			assign("two")
			h.updateIs("waiting", test.why)
			h.runs("one")
			h.run(test.free + "\nsystemctl restart dockhost.service") // it asks at once, and not in half a minute
			h.updateIs("confirmed", "")
			h.runs("two")

			h.run("journalctl --update-catalog && journalctl --sync")
			out := h.run("journalctl --no-pager -b -x -u dockhost@app MESSAGE_ID=eb57e4c864b24e28b947f71d3d5d6d10")
			if !strings.Contains(out, "update confirmed container=app") || !strings.Contains(out, "Subject: Container app has been updated") {
				t.Errorf("journalctl -x -u dockhost@app does not explain the update:\n%s", out)
			}
		})
	}
}
