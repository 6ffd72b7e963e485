//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// programs has the programs that tests have built, by the directory of their
// source. TestMain sets and removes dir.
var programs struct {
	sync.Mutex
	dir   string
	paths map[string]string
}

// program returns the path of a program for test hosts, which it builds once:
// linking takes seconds.
func (h *host) program(source string) string {
	h.Helper()
	programs.Lock()
	defer programs.Unlock()
	if path := programs.paths[source]; path != "" {
		return path
	}
	path := filepath.Join(programs.dir, filepath.Base(source))
	build := exec.CommandContext(h.Context(), "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", path, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
	if out, err := build.CombinedOutput(); err != nil {
		h.Fatalf("build %s: %v: %s", source, err, out)
	}
	if programs.paths == nil {
		programs.paths = map[string]string{}
	}
	programs.paths[source] = path
	return path
}
