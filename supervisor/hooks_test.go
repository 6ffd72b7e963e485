package supervisor

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/dockhost/dockhost/engine/enginetest"
	"github.com/dockhost/dockhost/spec"
)

// hooked returns a rig whose container runs hooks, and the commands that ran. A
// command that begins with "bad" fails.
func hooked(t *testing.T) (r *rig, ran func() string) {
	t.Helper()
	r = newRig(t)
	var mu sync.Mutex
	var commands []string
	image := r.app()
	image.Exec = func(_ *enginetest.Process, command []string, out io.Writer) int {
		mu.Lock()
		defer mu.Unlock()
		commands = append(commands, strings.Join(command, " "))
		if strings.HasPrefix(command[0], "bad") {
			_, _ = fmt.Fprintln(out, "TOKEN is s3cret-canary")
			return 3
		}
		return 0
	}
	r.server.AddImage("app:1", image)
	return r, func() string {
		mu.Lock()
		defer mu.Unlock()
		return strings.Join(commands, ", ")
	}
}

// post_start runs before the container is ready, and pre_stop before its stop.
func TestHooks(t *testing.T) {
	r, ran := hooked(t)
	r.spec.PostStart = []spec.Hook{{Command: []string{"one"}}, {Command: []string{"two"}}}
	r.spec.PreStop = []spec.Hook{{Command: []string{"bad three"}}}
	l := r.start()
	l.ready()
	if got := ran(); got != "one, two" {
		t.Errorf("hooks before READY=1: %s, want one, two", got)
	}
	l.stop()
	l.ends(0, "")
	if got := ran(); got != "one, two, bad three" {
		t.Errorf("hooks = %s, want that of pre_stop too", got)
	}
}

// A post_start that fails ends the container. The values of its variables are
// masked.
func TestPostStartFails(t *testing.T) {
	r, ran := hooked(t)
	r.spec.PostStart = []spec.Hook{{Command: []string{"bad"}, Env: []string{"TOKEN=s3cret-canary"}}, {Command: []string{"two"}}}
	l := r.start()
	l.ends(1, "post_start[0] exited with 3: TOKEN is ***")
	if got := ran(); got != "bad" {
		t.Errorf("hooks = %s, want the first alone", got)
	}
	if r.notify.count("READY") > 0 {
		t.Errorf("systemd was sent READY=1:\n%s", r.notify)
	}
}
