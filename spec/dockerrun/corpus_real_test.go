//go:build e2e_docker

package dockerrun

import (
	"slices"
	"strings"
	"testing"
)

// TestRealCorpus compares the command lines of the corpus that are taken with what
// the docker command of this host asks an Engine for.
func TestRealCorpus(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	compared := 0
	for _, line := range readCorpus(t) {
		if line.program != "docker" || strings.HasPrefix(line.outcomes["run"], "refused") || slices.Contains(line.args, "--runtime=nvidia") {
			continue
		}
		if compare(t, withoutUnit(line.args)) {
			compared++
		}
	}
	t.Logf("compared %d command lines", compared)
	if compared < 40 {
		t.Errorf("the docker command knew only %d of the command lines", compared)
	}
}

// withoutUnit leaves out what the unit does instead of Docker: to restart and to
// remove the container.
func withoutUnit(args []string) []string {
	var kept []string
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--restart":
			i++
		case args[i] == "--rm", strings.HasPrefix(args[i], "--restart="):
		default:
			kept = append(kept, args[i])
		}
	}
	return kept
}
