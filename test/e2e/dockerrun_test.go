//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestDockerRunFlagsMeanTheSame compares, on the host, the requests that its
// docker command and dockhost send for the same arguments.
func TestDockerRunFlagsMeanTheSame(t *testing.T) {
	const binary = "/root/dockerrun.test"
	built := t.TempDir() + "/dockerrun.test"
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "e2e_docker", "-o", built, "./spec/dockerrun")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compile the test: %v: %s", err, out)
	}
	h := newHost(t)
	if out, err := dockerOutside("cp", built, hostName()+":"+binary); err != nil {
		t.Fatalf("copy the test to %s: %v: %s", hostName(), err, out)
	}
	t.Cleanup(func() { h.try("rm -f " + binary) })
	out, code := h.try("cd /root && " + binary + " -test.run '^TestReal' -test.v -test.timeout 5m")
	t.Log(out)
	if code != 0 || !strings.Contains(out, "--- PASS: TestReal ") || !strings.Contains(out, "--- PASS: TestRealCorpus ") {
		t.Errorf("docker run of %s and dockhost differ: the test exits %d", hostName(), code)
	}
}
