//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// moved is a project of a shop and its database. Compose starts the shop when the
// database is healthy.
const moved = `services:
  shop:
    image: localhost:5000/nginx:1.22
    depends_on: {db: {condition: service_healthy}}
  db:
    image: localhost:5000/nginx:1.22
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "curl", "-fsk", "https://localhost/"], interval: 1s}
volumes:
  data:
`

// TestComposeProjectMovesOver starts a project with Debian's own docker compose, ends
// it there, and puts the same file under dockhost: it continues with its data, and its
// services find each other.
func TestComposeProjectMovesOver(t *testing.T) {
	h := newHost(t)
	h.login()
	h.removesNetworks()
	h.installCompose()
	const file = "/srv/shop/compose.yaml"
	// The version is for Compose 1, which bookworm has.
	h.write(file, "version: '2.4'\n"+moved)
	h.Cleanup(func() { h.try("cd /srv/shop && docker-compose -f compose.yaml down; rm -rf /srv/shop") })
	h.run("cd /srv/shop && docker-compose -f compose.yaml up -d 2>&1")
	id := h.output("docker ps -q --filter label=com.docker.compose.service=db")
	h.run("docker exec " + id + " sh -c 'echo precious >/data/file'; cd /srv/shop && docker-compose -f compose.yaml down 2>&1")

	h.write("/etc/dockhost/containers/shop.yaml", "version: '2.4'\n"+moved+logins)
	h.takeOver()
	h.ready("shop")
	if text := h.output("docker exec db cat /data/file"); text != "precious" {
		t.Errorf("/data/file = %q, want what was written under Compose", text)
	}
	if body := h.output("docker exec shop curl -fsk https://db/"); !strings.Contains(body, "1.22") {
		t.Errorf("https://db/ in shop = %q, want the answer of db", body)
	}
	shop := h.output("systemctl show -P ActiveEnterTimestampMonotonic dockhost@db dockhost@shop | xargs")
	if times := strings.Fields(shop); len(times) != 2 || len(times[0]) > len(times[1]) || len(times[0]) == len(times[1]) && times[0] > times[1] {
		t.Errorf("db and shop were ready at %s, want db first", shop)
	}
}

// installCompose installs Debian's docker compose on the host.
func (h *host) installCompose() {
	h.Helper()
	h.run(`command -v docker-compose >/dev/null ||
		{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends docker-compose; } >/dev/null 2>&1`)
}
