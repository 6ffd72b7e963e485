//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// TestSetupRegistersRuntime checks dockhost setup, its --check and its --remove,
// and that it leaves a daemon.json that does not parse alone.
func TestSetupRegistersRuntime(t *testing.T) {
	h := newHost(t)
	h.run("dockhost setup --check && dockhost setup && dockhost setup --check")
	if out := h.run("docker info -f '{{json .Runtimes}}'"); !strings.Contains(out, "dockhost-runtime") {
		t.Errorf("runtimes of Docker = %s, want dockhost-runtime in them", out)
	}
	h.run("dockhost setup --remove")
	if out, code := h.try("dockhost setup --check"); code != 3 || !strings.Contains(out, "dockhost setup") {
		t.Errorf("setup --check exits %d and prints %q, want 3 and the command that helps", code, out)
	}
	h.run("dockhost setup")
	before := h.run("cat /etc/docker/daemon.json")
	t.Cleanup(func() { h.write("/etc/docker/daemon.json", before) })
	h.write("/etc/docker/daemon.json", "{\n  \"debug\": tru\n}\n")
	out, code := h.try("dockhost setup")
	if code != 1 || !strings.Contains(out, "daemon.json:2:") {
		t.Errorf("setup exits %d and prints %q, want 1 and the position", code, out)
	}
	if after := h.run("cat /etc/docker/daemon.json"); after != "{\n  \"debug\": tru\n}\n" {
		t.Errorf("a daemon.json that does not parse became %q", after)
	}
}
