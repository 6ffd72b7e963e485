//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

const (
	closedWindow = `"2099-01-01 00:00 +1h UTC"`
	openWindow   = `"00:00 +1d UTC"`
)

// TestUpdateWaits has the application and a window delay updates. The settings change
// without a restart of the container.
func TestUpdateWaits(t *testing.T) {
	h := newShop(t)
	h.run("mkdir -p /srv/shop-lock")
	t.Cleanup(func() { h.try("systemctl stop shop-busy; rm -r /srv/shop-lock") })
	section := func(settings string) string { return shop(settings, `volumes: ["/srv/shop-lock:/lock"]`) }
	h.assign(section("lock: {file: /srv/shop-lock/busy}"))
	h.confirmed()

	h.run("systemd-run --quiet --unit shop-busy flock /srv/shop-lock/busy sleep infinity")
	h.eventually("the file is locked", func() error {
		if out, code := h.try("! flock -n /srv/shop-lock/busy true"); code != 0 {
			return fmt.Errorf("it is not: %s", out)
		}
		return nil
	})
	h.moves("2")
	h.updates("update shop --timeout 3s", 7)
	h.showsState(api.StateWaiting, "/srv/shop-lock/busy")
	h.servesVersion("1")
	h.run("systemctl stop shop-busy")
	h.updates("update shop", 0, "confirmed")
	h.servesVersion("2")

	pid := h.pid("shop")
	h.assign(section(`lock: {exec: [sh, -c, "echo a backup runs; ! test -e /busy || exit 75"]}`))
	h.run("docker exec shop touch /busy")
	h.moves("3")
	h.updates("update shop --timeout 3s", 7)
	h.showsState(api.StateWaiting, "a backup runs")
	h.run("docker exec shop rm /busy")
	if now := h.pid("shop"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	h.updates("update shop", 0, "confirmed")
	h.servesVersion("3")

	h.assign(section("window: " + closedWindow))
	h.moves("1")
	h.updates("update shop --timeout 3s", 7)
	h.showsState(api.StateWaiting, "2099-01-01 00:00 UTC")
	h.servesVersion("3")
	h.updates("update shop --force", 0, "confirmed")
	h.servesVersion("1")
	h.moves("2")
	h.updates("update shop --timeout 3s", 7)
	h.assign(section("window: [" + closedWindow + ", " + openWindow + "]"))
	h.updates("update shop", 0, "confirmed")
	h.servesVersion("2")
}

// TestUpdateIsHeld holds a container, goes back to earlier revisions of it, and has
// updates in a row fail.
func TestUpdateIsHeld(t *testing.T) {
	h := newShop(t)
	h.assign(shop(""))
	h.confirmed()
	h.updates("hold shop", 0, "held")
	h.moves("2")
	h.updates("update shop --timeout 3s", 7)
	h.showsState(api.StateWaiting, "held by root")
	h.updates("unhold shop", 0)
	h.confirmedBy(api.CauseUpdate)
	h.servesVersion("2")
	h.updates("hold --all --until 4s", 0, "held until")
	h.moves("3")
	h.updates("update shop", 0, "held by root until", "confirmed")
	h.servesVersion("3")

	h.updates("rollback shop", 0, "confirmed")
	h.servesVersion("2")
	h.updates("update shop", 6, "quarantined")
	h.updates("rollback shop --to "+h.digest("1"), 0, "confirmed")
	h.servesVersion("1")
	if last := h.past()[0]; last.Cause != api.CauseRollback || last.By != "root" || last.To.Digest != h.digest("1") {
		t.Errorf("history = %+v, want a rollback to version 1 by root", last)
	}

	h.assign(shop("policy: registry, check: 10s, pause_after: 2"))
	for _, image := range []string{"exits", "missing"} {
		h.moves(image)
		h.updates("update shop", 5)
	}
	c, err := h.container("shop")
	if err != nil || c.Update == nil || !strings.Contains(c.Update.Paused, "2 updates in a row") || c.Update.NextCheck == nil {
		t.Fatalf("status = %+v, %v, want a pause after 2 updates", c.Update, err)
	}
	h.moves("sick") // without a health check it is a good one
	h.eventually("the registry was asked", func() error {
		now, err := h.container("shop")
		if err == nil && !now.Update.NextCheck.After(*c.Update.NextCheck) {
			err = fmt.Errorf("next check = %s", now.Update.NextCheck)
		}
		return err
	})
	if last := h.past()[0]; last.To.Digest != h.digest("missing") {
		t.Errorf("history = %+v, want no other update during the pause", last)
	}
	h.servesVersion("1")
	h.updates("unhold shop", 0)
	h.confirmedBy(api.CauseRegistry)
	h.servesVersion("")
}

// TestQuarantineHolds starts the agent and the host again after an update that failed: it
// is tried again only for a reason.
func TestQuarantineHolds(t *testing.T) {
	h := newShop(t)
	h.run("systemctl enable --quiet dockhost.socket dockhost.service")
	h.assign(shop("policy: registry, check: 10s"))
	h.confirmed()
	h.moves("exits")
	h.updates("update shop", 5)
	tries := len(h.past())
	holds := func(when string) {
		h.ready("shop")
		h.updates("update shop", 6, "quarantined")
		h.servesVersion("1")
		if now := h.past(); len(now) != tries {
			t.Errorf("%s the history has %d entries, want %d: %+v", when, len(now), tries, now[0])
		}
	}
	h.run("systemctl restart dockhost")
	holds("after a start of the agent")
	h.reboots()
	holds("after a reboot")
	if _, code := h.status(); code != 3 {
		t.Errorf("status exits %d, want 3", code)
	}

	h.updates("update shop --force", 5)
	h.moves("2")
	h.updates("update shop", 0, "confirmed")
	h.moves("exits")
	h.updates("update shop", 6, "quarantined")
	h.servesVersion("2")
	h.assign(strings.Replace(shop(""), "TOKEN:", "MORE: yes, TOKEN:", 1))
	h.confirmedBy(api.CauseAssignment)
	h.servesVersion("2")
	h.updates("update shop", 5)
	h.servesVersion("2")
}
