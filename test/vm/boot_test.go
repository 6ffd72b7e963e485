//go:build vm

package vm

import (
	"strings"
	"testing"
	"time"
)

// alone is the kernel argument that disables cloud-init. dockhost finds the disc
// itself, and the machine boots faster.
const alone = "cloud-init=disabled"

// TestFirstBootPullsImage boots with an image from a registry, which answers once
// the network is up.
func TestFirstBootPullsImage(t *testing.T) {
	r := newRegistry(t)
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-pull", app(r.image()))})
	m.well("2")
}

// TestFirstBootWorksWithoutCloudInit boots with cloud-init disabled.
func TestFirstBootWorksWithoutCloudInit(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-alone", app(preloaded)), kernel: alone})
	m.well("1")
	if state := m.property("cloud-final.service", "ActiveState"); state != "inactive" {
		t.Errorf("cloud-final.service is %s, want inactive", state)
	}
	m.checkOwn()
}

// checkOwn checks that dockhost has read the disc itself.
func (m *machine) checkOwn() {
	m.Helper()
	if status, _ := m.status(); !strings.HasPrefix(status.Source.Path, "/dev/") {
		m.Errorf("path of the user data = %s, want a disc", status.Source.Path)
	}
}

// TestContainerReturnsAfterReboot reboots a machine: its container is stopped in
// order, and starts again.
func TestContainerReturnsAfterReboot(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-reboot", app(preloaded, "stop_grace_period: 2m"))})
	m.well("1")
	m.reboot()
	m.well("1")
	if out := m.run("journalctl -b -1 -u dockhost@app.service -o cat"); !strings.Contains(out, "Deactivated successfully") {
		t.Errorf("journal of the last boot = %s, want a stop of the container", out)
	}
}

// TestContainerSurvivesReexec runs systemctl daemon-reexec under a container.
func TestContainerSurvivesReexec(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-reexec", app(preloaded, limits...))})
	m.well("1")
	pid := m.run("docker inspect -f '{{.State.Pid}}' app")
	m.run("systemctl daemon-reexec")
	m.well("1")
	if now := m.run("docker inspect -f '{{.State.Pid}}' app"); now != pid {
		t.Errorf("pid = %s, want %s", now, pid)
	}
	m.checkPlace()
}

// TestContainerRunsWithWrongClock boots a machine whose clock is an hour fast, and
// one whose clock is an hour slow.
func TestContainerRunsWithWrongClock(t *testing.T) {
	disk, disc := newDisk(t), newDisc(t, "i-clock", app(preloaded))
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		m := boot(t, disk, settings{disc: disc, clock: time.Now().Add(off)})
		m.well("1")
		m.cutPower()
	}
}

// TestContainerRunsOnFullDisk fills the root disk and restarts the agent: the
// container keeps running.
func TestContainerRunsOnFullDisk(t *testing.T) {
	m := boot(t, newDisk(t), settings{disc: newDisc(t, "i-full", app(preloaded))})
	m.well("1")
	m.run("dd if=/dev/zero of=/filler bs=1M 2>/dev/null || true; sync")
	m.run("systemctl restart dockhost.service")
	m.eventually(func() string { return m.serves("1") })
	m.run("rm /filler && systemctl reload dockhost.service")
	m.well("1")
	m.checkStore("i-full")
}
