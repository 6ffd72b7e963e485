//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// TestStopIsNoFailure stops a container that is observed after an update. It fails its health check from the stop signal on,
// before it ends, and is not to blame for that.
func TestStopIsNoFailure(t *testing.T) {
	h := newHost(t)
	revision := func(number int, monitor string) string {
		section := shell(`trap "rm /up; sleep 4; exit 0" TERM; touch /up; while :; do sleep 1; done`,
			fmt.Sprintf("environment: {REVISION: '%d'}", number), `healthcheck: {test: ["CMD-SHELL", "test -e /up"], interval: 500ms, retries: 1}`,
			"deploy: {update_config: {monitor: "+monitor+"}}", "x-dockhost: {notify: healthy}")
		return strings.Replace(section, "restart: 'no'", "restart: always", 1)
	}
	is := func(state string, holds func(c api.Container) bool) {
		h.Helper()
		h.eventually("the update is "+state, func() error {
			c, err := h.container("app")
			if err == nil && (!holds(c) || c.Update == nil || c.Update.State != state) {
				err = fmt.Errorf("status = %+v, %+v", c, c.Update)
			}
			return err
		})
	}
	ready := func(c api.Container) bool { return c.Ready }
	began := strings.TrimSpace(h.run("date +%s"))
	h.assign(revision(1, "1s"))
	is(api.OutcomeConfirmed, ready)
	h.assign(revision(2, "1h"))
	is(api.StateSoaking, ready)
	h.run("systemctl stop dockhost@app")
	is(api.StateSoaking, func(c api.Container) bool { return c.Stopped != nil })
	h.run("systemctl start dockhost@app")
	before := h.ready("app").ID
	h.run("docker stop -t 20 app")
	is(api.StateSoaking, func(c api.Container) bool { return c.Ready && c.ID != before })
	h.assign(revision(2, "1s")) // the settings change while it is observed
	is(api.OutcomeConfirmed, ready)
	if said := h.run("journalctl -q -b -u dockhost@app --since @" + began + " -o cat | grep 'container is unhealthy' || :"); said != "" {
		t.Errorf("the journal says of a container that was being stopped: %s", said)
	}
}
