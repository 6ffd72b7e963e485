//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestHousekeepingKeepsImageBeingPulled pulls an image in a hand-written unit,
// without the agent, onto a full disk. The unit's error says what to do.
// Housekeeping knows about the pull and the space that it needs, and keeps the
// image. The pull succeeds once there is room.
func TestHousekeepingKeepsImageBeingPulled(t *testing.T) {
	h := newHost(t)
	h.smallDisk("300m")
	h.keepsHouse("images: all, min_age: 0s, max_age: 1ns, keep_last: 1, high: 99%, low: 98%, interval: 24h, build_cache: off")
	h.login()
	h.makes("10K", "idle:1")
	const disk = "/run/dockhost-e2e-disk"
	h.run("fallocate -l $(($(df --output=avail -B1 " + disk + " | tail -n 1) - 8000000)) " + disk + "/junk")
	h.unit("big.service", service("/usr/bin/dockhost run --name big localhost:5000/nginx:1.22"))
	h.run("systemctl start --no-block big.service")
	h.eventually("the unit says what to do", func() error {
		log := h.said("big.service")
		for _, part := range []string{"no space left on device", h.smallImages() + " has ", "dockhostctl gc --dry-run"} {
			if !strings.Contains(log, part) {
				return fmt.Errorf("journal = %s, want %q", log, part)
			}
		}
		return nil
	})
	plan, code := h.gc("--dry-run")
	if code != 3 || plan.Disk.Wanted == 0 || len(plan.Holds) == 0 || !strings.HasPrefix(plan.Holds[0].What, "other files") {
		t.Errorf("gc --dry-run exits %d with %+v and %+v, want 3, the space for the pull, and what fills the disk", code, plan.Disk, plan.Holds)
	}
	if out, _ := h.try("dockhostctl gc --dry-run"); !strings.Contains(out, "The disk would still be too full") {
		t.Errorf("gc --dry-run prints %s, want what fills the disk", out)
	}

	h.run("docker tag idle:1 localhost:5000/nginx:1.22; docker rmi idle:1 >/dev/null")
	h.makes("10K", "idle:2")
	h.gc("")
	if got := h.images("localhost:5000/nginx"); len(got) != 1 || len(h.images("idle")) != 0 {
		t.Errorf("images = %v and %v, want only the image that the unit pulls", got, h.images("idle"))
	}
	if out, code := h.try("dockhostctl gc --explain localhost:5000/nginx:1.22"); code != 0 || !strings.Contains(out, "being-pulled") {
		t.Errorf("gc --explain exits %d: %s, want 0 and being-pulled", code, out)
	}

	h.run("rm " + disk + "/junk")
	h.within(3*time.Minute, "the unit runs", func() error {
		if state := h.property("big.service", "ActiveState"); state != "active" {
			return fmt.Errorf("it is %s: %s", state, h.property("big.service", "StatusText"))
		}
		return nil
	})
	h.run("systemctl stop big.service")
}
