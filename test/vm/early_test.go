//go:build vm

package vm

import (
	"strings"
	"testing"
)

// appBeforeNetworkStage makes cloud-init's network stage wait for the container. On
// Debian, basic.target waits for that stage.
const appBeforeNetworkStage = `bootcmd:
  - for i in $(seq 400); do systemctl is-active dockhost@app && touch /run/app-was-first && break; sleep 1; done
`

// TestEarlyBootRunsContainer boots with early boot on: the container runs before
// basic.target is reached, and a reboot still stops it in order.
func TestEarlyBootRunsContainer(t *testing.T) {
	disk, disc := newDisk(t), newDisc(t, "i-early", app(preloaded, limits...)+appBeforeNetworkStage)
	m := boot(t, disk, settings{disc: disc, kernel: "dockhost.early"})
	m.well("1")
	m.checkOrder()
	m.checkPlace()
	m.reboot()
	m.well("1")
	if out := m.run("journalctl -b -1 -u dockhost@app.service -o cat"); !strings.Contains(out, "Deactivated successfully") {
		t.Errorf("journal of the last boot = %s, want a stop of the container", out)
	}
}
