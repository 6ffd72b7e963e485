//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestEndpointThatDockerKeeps stops a container while Docker cannot write what it knows of
// networks, as on a full disk. So Docker keeps its endpoint, and refuses the next
// container of that name. The start after that succeeds, without a restart of Docker.
func TestEndpointThatDockerKeeps(t *testing.T) {
	h := newHost(t)
	h.assign("dockhost:\n  networks: {own: {}}\n  containers:\n    app: {image: localhost:5000/app:1, networks: [own]}\n" + registries)
	h.ready("app")
	const endpoints = "docker network inspect own | jq -r '.[].Containers | to_entries[] | .key[:3] + \" \" + .value.Name'"
	h.run("systemd-run --quiet --unit=full-disk strace -f -o /dev/null -P /var/lib/docker/network/files/local-kv.db -e inject=pwrite64,ftruncate:error=ENOSPC -p $(pidof dockerd)")
	t.Cleanup(func() { h.try("systemctl stop full-disk") })
	h.run("while grep -q '^TracerPid:[[:space:]]*0$' /proc/$(pidof dockerd)/task/*/status; do sleep 0.1; done") // all threads are traced
	h.run("systemctl stop dockhost@app; systemctl stop full-disk")
	if left := h.output(endpoints); left != "ep- app" {
		h.unlessNewStore(fmt.Sprintf("Docker keeps no endpoint: %q", left))
	}
	h.try("systemctl start dockhost@app")
	h.ready("app")
	if left := h.output(endpoints); strings.Contains(left, "ep-") || !strings.HasSuffix(left, " app") {
		t.Errorf("endpoints = %q, want that of the container", left)
	}
	h.eventually("the journal says why", func() error {
		const want = `docker has kept the endpoint of an earlier container "app" in network "own"`
		if log := h.journal("dockhost@app"); !strings.Contains(log, want) {
			return fmt.Errorf("%s", log)
		}
		return nil
	})
}
