//go:build vm

package vm

import (
	"fmt"
	"strings"
	"testing"
)

// TestChangedDiscTakesEffect changes the disc between boots: the machine runs what
// the disc assigns, or without a disc the last known good assignment.
func TestChangedDiscTakesEffect(t *testing.T) {
	r := newRegistry(t)
	disk := newDisk(t)
	m := boot(t, disk, settings{disc: newDisc(t, "i-disc", app(preloaded))})
	m.well("1")
	m.run("sync")
	m.cutPower()
	m = boot(t, disk, settings{disc: newDisc(t, "i-disc", app(r.image()))})
	m.well("2")
	m.run("sync")
	m.cutPower()
	m = boot(t, disk, settings{})
	m.eventually(func() string {
		if status, code := m.status(); code != 3 || !status.Source.LastKnownGood {
			return fmt.Sprintf("dockhostctl status exits %d, want 3: %+v", code, status.Source)
		}
		return m.serves("2")
	})
}

// TestCloneForgetsItsOriginal boots a copy of a machine's disk with user data for
// another instance: only the new assignment runs.
func TestCloneForgetsItsOriginal(t *testing.T) {
	disk := newDisk(t)
	m := boot(t, disk, settings{disc: newDisc(t, "i-original", app(preloaded))})
	m.well("1")
	m.run("sync")
	m.cutPower()
	other := strings.Replace(app(preloaded), "    app:\n", "    other:\n", 1)
	m = boot(t, copyDisk(t, disk), settings{disc: newDisc(t, "i-clone", other)})
	m.eventually(func() string {
		status, code := m.status()
		if code != 0 || len(status.Containers) != 1 || status.Containers[0].Name != "other" {
			return fmt.Sprintf("dockhostctl status exits %d: %+v", code, status.Containers)
		}
		return ""
	})
	if names := m.run("docker ps --format '{{.Names}}'"); names != "other" {
		t.Errorf("running containers = %q, want only other", names)
	}
	m.checkStore("i-clone")
}
