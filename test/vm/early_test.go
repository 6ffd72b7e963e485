//go:build vm

package vm

import (
	"strings"
	"testing"
)

// appBeforeNetworkStage has cloud-init's network stage wait for the container.
// On Debian basic.target waits for that stage.
const appBeforeNetworkStage = `bootcmd:
  - for i in $(seq 400); do systemctl is-active dockhost@app && touch /run/app-was-first && break; sleep 1; done
`

// TestEarlyBootRunsContainer has the container run before the machine is as far as other
// services need it, in its place, and still be stopped in good order.
func TestEarlyBootRunsContainer(t *testing.T) {
	disk, disc := newDisk(t), newDisc(t, "i-early", app(preloaded, limits...)+appBeforeNetworkStage)
	m := boot(t, disk, settings{disc: disc, kernel: "dockhost.early"})
	m.well("1")
	m.checkOrder()
	m.checkPlace()
	m.reboot()
	m.well("1")
	if out := m.run("journalctl -b -1 -u dockhost@app.service -o cat"); !strings.Contains(out, "Deactivated successfully") {
		t.Errorf("the container was not stopped before the reboot: %s", out)
	}
}
