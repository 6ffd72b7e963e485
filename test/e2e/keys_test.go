//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestProjectOfFiles runs a Compose file that uses others: extends, include, env_file,
// and a secret. A change of one of them takes effect by itself.
func TestProjectOfFiles(t *testing.T) {
	h := newKeeping(t)
	h.removesNetworks()
	h.write(composeFiles+"parts/db.yaml", "services: {db: {image: '"+keeping+"', init: true, command: sleep infinity}}\n")
	h.write(composeFiles+"base/web.yaml", "services: {web: {labels: {team: first}, init: true, command: sleep infinity}}\n")
	h.write(composeFiles+"base/key.txt", "s3cret-one")
	h.write(composeFiles+"raw.env", "QUOTED=\"as it is\"\nPRICE=5$ # each\n")
	h.Cleanup(func() { h.try("systemctl stop dockhost; rm -rf /etc/dockhost/containers") })
	h.project(`include: [parts/db.yaml]
services:
  web:
    extends: {file: base/web.yaml, service: web}
    image: localhost:5000/busybox
    expose: ["9000-9001/udp"]
    env_file: [{path: ./raw.env, format: raw}]
    deploy: {mode: replicated, replicas: 1, restart_policy: {condition: on-failure, delay: 3s}}
    volumes_from: ["db:ro"]
    secrets: [key]
  tool:
    image: localhost:5000/busybox
    profiles: [tools]
secrets: {key: {file: ./base/key.txt}}
`)
	h.ready("web")
	for what, want := range map[string]string{
		"docker inspect -f '{{range .Config.Env}}{{println .}}{{end}}' web | grep -E 'QUOTED|PRICE' | sort":                   "PRICE=5$ # each\nQUOTED=\"as it is\"",
		"docker inspect -f '{{json .Config.ExposedPorts}} {{.Config.Labels.team}}' web":                                       `{"9000/udp":{},"9001/udp":{}} first`,
		"docker inspect -f '{{range .Mounts}}{{if eq .Type \"volume\"}}{{.Name}} {{.Destination}} {{.RW}}{{end}}{{end}}' web": "db__data /data false",
		"systemctl show --value -p Restart -p RestartUSec dockhost@web | xargs":                                               "on-failure 3s",
		"dockhostctl render " + composeFiles + "shop.yaml 2>/dev/null | grep -A3 '^# network'":                                "# network shop_default, created if it is missing\n# POST /networks/create\n{\n  \"Driver\": \"bridge\",",
	} {
		if got := h.output(what); got != want {
			t.Errorf("%s = %q, want %q", what, got, want)
		}
	}
	const leftOut = "services.tool is left out: none of its profiles is active"
	if out, _ := h.try("dockhostctl status"); !strings.Contains(out, leftOut) {
		t.Errorf("status = %s, want %q", out, leftOut)
	}
	if log := h.journal("dockhost"); !strings.Contains(log, leftOut) {
		t.Errorf("journal = %s, want %q", log, leftOut)
	}
	h.edits("web", composeFiles+"base/web.yaml", "first", "second", "docker inspect -f '{{.Config.Labels.team}}' web")
	h.edits("web", composeFiles+"base/key.txt", "one", "two", "docker exec web cat /run/secrets/key")
}

// edits replaces a word in a file, and waits until a command prints the new one.
func (h *host) edits(name, file, from, to, command string) {
	h.Helper()
	h.run("sed -i s/" + from + "/" + to + "/ " + file)
	h.eventually(file+" takes effect", func() error {
		if out, code := h.try(command); code != 0 || !strings.HasSuffix(strings.TrimSpace(out), to) {
			return fmt.Errorf("%s prints %q", command, out)
		}
		return nil
	})
	h.ready(name)
}
