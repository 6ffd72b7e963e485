//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// TestUpdateByTag moves the tag of a container that watches the registry, and of one
// that does not. The image of each is what was confirmed, whatever its tag names.
func TestUpdateByTag(t *testing.T) {
	h := newShop(t)
	digested := "    pinned:\n      image: localhost:5000/shop@" + h.digest("1") + "\n"
	h.assign(strings.Replace(shop("policy: registry, check: 10s"), "  registries:", digested+"  registries:", 1))
	h.ready("shop")
	h.ready("pinned")
	h.confirmed()
	local := h.output("docker image inspect -f '{{.Id}}' localhost:5000/shop:stable")

	h.moves("2")
	h.confirmedBy(api.CauseRegistry)
	h.servesVersion("2")
	if now := h.output("docker image inspect -f '{{.Id}}' localhost:5000/shop:stable"); now != local {
		t.Errorf("the tag on the host names %s, want %s still", now, local)
	}
	if c, _ := h.container("pinned"); c.Update != nil && c.Update.NextCheck != nil {
		t.Errorf("the registry is to be asked for an image with a digest at %s", c.Update.NextCheck)
	}
	last := h.past()[0]
	if last.From == nil || last.From.Digest != h.digest("1") || last.To.Digest != h.digest("2") || len(last.Phases) == 0 {
		t.Errorf("history = %+v, want from version 1 to 2, with phases", last)
	}

	// The tag moves on, without a check: the confirmed image stays.
	h.assign(shop("policy: none"))
	h.ready("shop")
	h.moves("3")
	for _, command := range []string{
		"systemctl restart dockhost", "systemctl restart dockhost@shop",
		"systemctl stop dockhost dockhost.socket dockhost@shop; systemctl start dockhost",
	} {
		h.run(command)
		h.ready("shop")
		h.servesVersion("2")
	}
	h.updates("update --check", 0, "shop", api.ShortID(h.digest("3")))
	h.servesVersion("2")
	h.updates("update shop", 0, "confirmed")
	h.servesVersion("3")
	h.updates("update shop", 0, "nothing is newer")
	if out := h.updates("update --check", 0); strings.Contains(out, "shop") {
		t.Errorf("update --check prints %s, want nothing", out)
	}
	if s, code := h.status(); code != 0 {
		t.Errorf("status exits %d: %+v", code, s)
	}
}

// TestUpdateByAssignment changes an assignment in user data, and one by dockhostctl run:
// a bad one does not replace the good one for good.
func TestUpdateByAssignment(t *testing.T) {
	h := newShop(t)
	h.assign(shop(""))
	h.confirmed()
	to := func(tag string) string { return strings.Replace(shop(""), "shop:stable", "shop:"+tag, 1) }
	h.assign(to("2"))
	h.confirmedBy(api.CauseAssignment)
	h.servesVersion("2")
	h.assign(to("exits"))
	h.showsState(api.OutcomeRolledBack, "")
	h.servesVersion("2")
	if c, code := h.container("shop"); c.Pending == nil {
		t.Errorf("status = %+v, %v, want the assignment that is not in force", c, code)
	}
	if _, code := h.status(); code != 3 {
		t.Errorf("status exits %d, want 3", code)
	}
	// The assignment that runs ends the quarrel.
	h.assign(to("2"))
	h.ready("shop")
	h.assign(to("3"))
	h.eventually("version 3 is confirmed", func() error {
		if last := h.past()[0]; last.To.Image != "localhost:5000/shop:3" || last.Outcome != api.OutcomeConfirmed {
			return fmt.Errorf("history = %+v", last)
		}
		return nil
	})
	if _, code := h.status(); code != 0 {
		t.Errorf("status exits %d, want 0", code)
	}
	h.servesVersion("3")

	h.write("/etc/dockhost/dockhost.yaml", "update: {monitor: 2s}\n")
	h.assign("dockhost:\n  containers: {}\n" + registries)
	h.forgotten("shop")
	run := func(tag string) string {
		return "run --name shop -p 8080:8080 -e TOKEN=hunter2hunter2 --sdnotify=http://:8080/healthz localhost:5000/shop:" + tag
	}
	h.updates(run("1"), 0)
	h.confirmed()
	h.servesVersion("1")
	h.updates(run("2"), 0)
	h.confirmedBy(api.CauseAssignment)
	h.servesVersion("2")
	h.updates(run("exits"), 3)
	h.showsState(api.OutcomeRolledBack, "")
	h.servesVersion("2")
}
