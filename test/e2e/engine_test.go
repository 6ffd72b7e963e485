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
	h := newHost(t)
	h.login()
	// Docker pulls no layer that another image has.
	h.run("docker image prune -af >/dev/null; docker logout localhost:5000")
	h.runsTests("./engine", "TestReal", `TEST_REGISTRY=localhost:5000 TEST_USER=deploy TEST_PASSWORD=s3cret \
		TEST_CA=/etc/docker/certs.d/localhost:5000/ca.crt`)
}

// runsTests copies the tests of a package that need a real Docker (build tag
// e2e_engine) to the host, and runs one of them there, with these variables.
func (h *host) runsTests(directory, test, variables string) {
	h.Helper()
	built := h.TempDir() + "/real.test"
	build := exec.CommandContext(h.Context(), "go", "test", "-c", "-tags", "e2e_engine", "-o", built, directory)
	build.Dir, build.Env = "../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		h.Fatalf("compile the tests of %s: %v: %s", directory, err, out)
	}
	const binary = "/root/real.test"
	h.copyTo(built, binary)
	h.Cleanup(func() { h.try("rm -f " + binary) })
	out, code := h.try("cd /root && DOCKER_HOST=unix:///var/run/docker.sock " + variables + " " + binary + " -test.run '^" + test + "$' -test.v -test.timeout 5m")
	h.Log(out)
	if code != 0 || !strings.Contains(out, "--- PASS: "+test) {
		h.Errorf("%s exits %d on %s", test, code, hostName())
	}
}

// copyTo copies a file or directory to the host.
func (h *host) copyTo(from, to string) {
	h.Helper()
	if out, err := dockerOutside("cp", from, hostName()+":"+to); err != nil {
		h.Fatalf("copy %s to %s: %v: %s", from, hostName(), err, out)
	}
}
