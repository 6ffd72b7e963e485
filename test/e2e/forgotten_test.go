//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestContainerThatDockerForgets restarts Docker while its disk is full. With live-restore
// Docker then forgets the containers that run, and takes their networks away. Each starts
// again, and answers.
func TestContainerThatDockerForgets(t *testing.T) {
	h := newHost(t)
	h.smallDisk("150m")
	h.configureDocker("live-restore", "true")
	h.assign(app("ports: ['8080:8080']"))
	h.ready("app")
	before, id := h.pid("app"), h.output("docker inspect -f '{{.Id}}' app")
	h.try("for bs in 64k 512 1; do dd if=/dev/zero of=/run/dockhost-e2e-disk/full-$bs bs=$bs 2>/dev/null; done")
	h.restartDocker()
	if strings.Contains(h.output("docker ps -aq --no-trunc"), id) {
		h.unlessNewStore("Docker forgets no container")
	}
	h.run("rm -f /run/dockhost-e2e-disk/full-*")
	// Docker may need half a minute to remove a container that it does not follow.
	h.within(3*time.Minute, "another container answers", func() error {
		out, code := h.try("docker inspect -f '{{.State.Pid}}' app && curl -fsS -m 5 -o /dev/null http://127.0.0.1:8080/healthz")
		if code != 0 || out == before+"\n" {
			return fmt.Errorf("process %s (before: %s), curl exits %d", out, before, code)
		}
		return nil
	})
	h.ready("app")
	h.eventually("nothing is left of the one before", func() error {
		if left := h.output("docker ps -aq | wc -l; pgrep -c containerd-shim; pgrep -cx app"); left != "1\n1\n1" {
			return fmt.Errorf("containers, shims and programs: %s", left)
		}
		return nil
	})
}
