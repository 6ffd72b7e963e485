//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestEngineSuitePassesOnRealDocker runs the suite of package enginetest, which
// the fake Engine of the unit tests passes, on the host's Docker.
func TestEngineSuitePassesOnRealDocker(t *testing.T) {
	const binary = "/root/engine.test"
	built := t.TempDir() + "/engine.test"
	build := exec.CommandContext(t.Context(), "go", "test", "-c", "-tags", "e2e_engine", "-o", built, "./engine")
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("compile the suite: %v: %s", err, out)
	}
	h := newHost(t)
	if out, err := dockerOutside("cp", built, hostName()+":"+binary); err != nil {
		t.Fatalf("copy the suite to %s: %v: %s", hostName(), err, out)
	}
	t.Cleanup(func() { h.try("rm -f " + binary) })
	out, code := h.try(`cd /root &&
		DOCKER_HOST=unix:///var/run/docker.sock TEST_REGISTRY=localhost:5000 TEST_USER=deploy TEST_PASSWORD=s3cret \
		TEST_CA=/etc/docker/certs.d/localhost:5000/ca.crt ` + binary + ` -test.run '^TestReal$' -test.v -test.timeout 5m`)
	t.Log(out)
	if code != 0 || !strings.Contains(out, "--- PASS: TestReal") {
		t.Errorf("the suite exits %d on the Docker of %s", code, hostName())
	}
}
