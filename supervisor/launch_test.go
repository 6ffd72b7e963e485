package supervisor

import (
	"context"
	"testing"
	"time"

	"github.com/dockhost/dockhost/engine/enginetest"
)

// A command that cannot be run has the exit statuses of docker run.
func TestCommandNotRun(t *testing.T) {
	for command, code := range map[string]int{"/nonexistent": exitNotFound, "/etc": exitNotInvoked} {
		r := newRig(t)
		r.spec.Config.Entrypoint = []string{command}
		r.start().ends(code, command)
	}
}

// On cgroup v1 a process is in the root cgroup for a moment before its end.
func TestEndsAtOnce(t *testing.T) {
	r := newRig(t)
	r.runs("echo; sleep 0.2")
	r.bornIn("/")
	r.program(func(ctx context.Context, _ *enginetest.Process) int {
		select {
		case <-ctx.Done():
		case <-time.After(500 * time.Millisecond):
		}
		return 7
	})
	l := r.start()
	l.exits(7, "container ended with exit code 7")
	l.leftNothing()
}
