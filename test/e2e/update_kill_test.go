//go:build e2e

package e2e

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

var (
	killSeed = flag.Uint64("kill-seed", 0, "the seed of TestUpdateSurvivesKills; 0 for a random one")
	kills    = flag.Int("kills", 20, "how often TestUpdateSurvivesKills kills the agent")
)

// shopRecord is where the agent keeps what is known about the updates of the shop.
const shopRecord = "/var/lib/dockhost/updates/shop.json"

// TestUpdateSurvivesKills kills the agent at random moments of updates to good and bad
// images. Afterwards exactly one container runs, with an image that is not known to be
// bad, and the next update works.
func TestUpdateSurvivesKills(t *testing.T) {
	h := newShop(t)
	number := *killSeed
	if number == 0 {
		number = rand.Uint64()
	}
	t.Logf("seed %d (again: -kill-seed %d)", number, number)
	random := rand.New(rand.NewPCG(number, 0))
	h.assign(strings.Replace(shop("pause_after: 100"), "monitor: 2s", "monitor: 1s", 1))
	h.confirmed()

	if out, code := h.try(killScript(random)); code == 9 {
		t.Errorf("more than one container runs: %s", out)
	}

	h.within(2*time.Minute, "what was asked for last has ended", h.shopRests)
	h.consistent()
	outcomes := map[string]int{}
	for _, entry := range h.past() {
		outcomes[entry.Outcome]++
	}
	t.Logf("outcomes: %v", outcomes)
	if outcomes[api.OutcomeRolledBack] == 0 {
		t.Errorf("outcomes = %v, want some updates that were rolled back", outcomes)
	}
	h.moves("1")
	h.updates("update shop --force", 0)
	h.servesVersion("1")
	h.consistent()
}

// killScript updates the shop again and again, and kills the agent each time. It exits with 9
// when more than one container runs.
func killScript(random *rand.Rand) string {
	var script strings.Builder
	script.WriteString("moves() { " + registryAPI + "manifests/$1 >/run/manifest; " + registryAPI + "manifests/stable -X PUT -o /dev/null" +
		" -H \"Content-Type: $(jq -r .mediaType /run/manifest)\" --data-binary @/run/manifest; }\n")
	images := []string{"1", "2", "3", "exits", "missing", "sick"}
	for i := range *kills {
		// Now and then a bad image has the time to come back, whatever the seed.
		comesBack := i%10 == 5
		switch {
		case comesBack:
			script.WriteString("moves exits\n")
		case random.IntN(3) > 0:
			fmt.Fprintf(&script, "moves %s\n", images[random.IntN(len(images))])
		}
		// An agent that has just started may not know the container yet.
		script.WriteString("for i in $(seq 50); do timeout 20 dockhostctl update shop --force --no-block && break; sleep 0.1; done\n")
		if comesBack || random.IntN(3) > 0 { // once the container is being replaced
			script.WriteString("for i in $(seq 60); do ! grep -qE '\"phase\":\"(replacing|soaking|rolling-back)\"' " + shopRecord + " || break; sleep 0.05; done\n")
		}
		fmt.Fprintf(&script, "sleep %.3f; systemctl kill -s KILL --kill-who=main dockhost\n", random.Float64())
		if comesBack {
			script.WriteString("for i in $(seq 50); do dockhostctl wait shop --for update --timeout 30s; case $? in 1 | 4) sleep 0.1 ;; *) break ;; esac; done\n")
		}
		// Two containers of that name are impossible, so this counts those of other names, too.
		script.WriteString("[ $(docker ps -q | wc -l) -le 1 ] || { docker ps -a; exit 9; }\n")
	}
	return script.String()
}

// shopRests returns an error while the shop is not ready, or an update of it was asked for or
// begun and has not ended.
func (h *host) shopRests() error {
	h.Helper()
	c, err := h.container("shop")
	if err != nil {
		return err
	}
	if !c.Ready || c.Update == nil || c.Update.State != api.OutcomeConfirmed && c.Update.State != api.OutcomeRolledBack {
		return fmt.Errorf("status = %+v, %+v", c, c.Update)
	}
	var record struct{ Change, Request json.RawMessage }
	text := h.run("cat " + shopRecord)
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return fmt.Errorf("record of the updates: %w: %s", err, text)
	}
	if record.Change != nil || record.Request != nil {
		return fmt.Errorf("an update is not done: %s", text)
	}
	return nil
}

// consistent checks that one container runs, the confirmed one, and that what is kept
// about its updates can be read.
func (h *host) consistent() {
	h.Helper()
	if ids := strings.Fields(h.run("docker ps -aq")); len(ids) != 1 {
		h.Errorf("containers = %v, want one", ids)
	}
	var record struct {
		Confirmed struct {
			ImageID string `json:"image_id"`
		} `json:"confirmed"`
		Change  json.RawMessage    `json:"change"`
		History []api.HistoryEntry `json:"history"`
	}
	text := h.run("cat " + shopRecord)
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		h.Errorf("record of the updates: %v: %s", err, text)
	}
	if image := h.output("docker inspect -f '{{.Image}}' shop"); image != record.Confirmed.ImageID || record.Change != nil {
		h.Errorf("image = %s, want the confirmed one, and no update: %s", image, text)
	}
	bad := h.digest("exits")
	for _, entry := range record.History {
		if entry.Outcome == api.OutcomeConfirmed && entry.To.Digest == bad {
			h.Errorf("history = %+v: this image cannot have been confirmed", entry)
		}
	}
	if files := h.output("ls -A /var/lib/dockhost/updates"); files != "shop.json" {
		h.Errorf("files = %s, want shop.json only", files)
	}
}
