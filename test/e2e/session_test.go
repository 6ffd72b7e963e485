//go:build e2e

package e2e

import (
	"context"
	"sync"

	"github.com/dockhost/dockhost/test/session"
)

// sessions returns the test host, which runs the scripts of all tests.
var sessions = sync.OnceValue(func() *session.Host { return &session.Host{Name: hostName(), Dir: "/run"} })

// endSessions ends the idle sessions. Call it before the test host restarts.
func endSessions() {
	sessions().Close()
	inside.close()
}

// runScript runs a script on the test host and returns its output and exit
// status. It stops waiting when ctx ends.
func runScript(ctx context.Context, script string) (string, int, error) {
	return sessions().Run(ctx, script)
}
