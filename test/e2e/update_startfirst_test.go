//go:build e2e

package e2e

import (
	"strings"
	"testing"

	"github.com/dockhost/dockhost/agent/api"
)

// startFirst is a shop whose updates are start-first, and a client on its network.
const startFirst = `services:
  shop:
    image: localhost:5000/shop:stable
    deploy: {update_config: {monitor: 5s, order: start-first}, rollback_config: {order: start-first}}
    healthcheck: {test: ["CMD-SHELL", "! test -e /sick"], interval: 500ms, retries: 2}
    x-dockhost: {notify: "http://:8080/healthz", unit: {Service: {TimeoutStartSec: 10s}}}
  client:
    image: localhost:5000/busybox
    command: sleep 1000000
    stop_signal: KILL
x-dockhost: {registries: {localhost:5000: {username: deploy, password: s3cret}}}
`

// knocks is a client that connects again when a connection fails. It writes each answer,
// or that none came in ten seconds.
const knocks = `docker exec client sh -c 'cd /dev/shm; while [ ! -e stop ]; do
	tries=0
	until timeout 2 wget -qO page http://shop:8080/ 2>/dev/null && [ -s page ]; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || { echo failed >>answers; break; }
		sleep 0.2
	done
	tr -d "\n" <page >>answers; echo >>answers; rm -f page
done' >/dev/null 2>&1 &`

// TestStartFirst updates a container while a client asks it all the time: the new one
// runs beside the old one until it is ready. One that is not ready never stops the old, and
// the old one starts before one stops that turns out to be bad.
func TestStartFirst(t *testing.T) {
	h := newShop(t)
	h.write("/etc/dockhost/containers/shop.yaml", startFirst)
	h.run("systemctl start dockhost")
	h.ready("client")
	h.confirmed()
	h.run(knocks)
	h.moves("2")
	h.updates("update shop", 0, "confirmed")
	inUnit := h.output("docker inspect -f '{{index .Config.Labels \"dockhost.unit\"}}' shop")
	if inUnit != "dockhost@shop.service" {
		t.Errorf("the container runs in %s", inUnit)
	}
	before := h.output("docker inspect -f '{{.Id}}' shop")
	h.moves("exits")
	h.updates("update shop", 5, "rolled back", "beside the container that it replaces")
	if now := h.output("docker inspect -f '{{.Id}}' shop"); now != before {
		t.Error("the old container was stopped for one that is not ready")
	}
	h.moves("sick") // it is ready, and serves until its health check fails
	h.updates("update shop", 5, "health check fails")
	old := h.output("docker inspect -f '{{.Config.Image}}' shop")
	beside := h.output("docker events --since 10m --until 0s --filter container=shop.next --filter event=start --format '{{.Actor.Attributes.image}}' | tail -n 2 | xargs")
	if images := strings.Fields(beside); len(images) != 2 || images[0] == old || images[1] != old {
		t.Errorf("%s ran beside the container that was replaced, want the new image, and then %s", beside, old)
	}
	h.run("docker exec client touch /dev/shm/stop")
	answers := h.run("docker exec client cat /dev/shm/answers")
	for _, version := range []string{`"version":"1"`, `"version":"2"`} {
		if !strings.Contains(strings.ReplaceAll(answers, " ", ""), version) {
			t.Errorf("no answer of %s", version)
		}
	}
	if n := strings.Count(answers, "failed"); n > 0 {
		t.Errorf("%d requests failed", n)
	}
	if units := h.output("systemctl list-units --all --plain --no-legend 'dockhost@*' | awk '{print $1}' | sort | xargs"); units != "dockhost@client.service dockhost@shop.service" {
		t.Errorf("units = %s", units)
	}
	if leftovers := h.output("ls /run/dockhost/containers | xargs"); leftovers != "client.json shop.json" {
		t.Errorf("declarations = %s", leftovers)
	}
	if past := h.past(); past[0].Outcome != api.OutcomeRolledBack || past[1].Outcome != api.OutcomeRolledBack || past[2].Outcome != api.OutcomeConfirmed {
		t.Errorf("history = %+v", past)
	}
}
