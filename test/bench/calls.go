package main

import "context"

// calls are the times of one OCI runtime call that does nothing, for runc and for dockhost-runtime, which executes runc.
// Docker makes a handful of calls for each start of a container.
type calls struct {
	plain, passThrough samples
}

const (
	// plainPath is looked up in PATH, as dockhost-runtime looks it up.
	plainPath    = "runc"
	dockhostPath = "/usr/libexec/dockhost/dockhost-runtime"
	// callsPerRun is the number of calls per run. They are shorter than the other commands, so there are more of them.
	callsPerRun = 4
)

func measureCalls(ctx context.Context, runs int) (calls, error) {
	var c calls
	for range runs * callsPerRun {
		for _, one := range []struct {
			to   *samples
			path string
		}{{&c.plain, plainPath}, {&c.passThrough, dockhostPath}} {
			began, ended, err := timed(ctx, command{one.path, "--version"})
			if err != nil {
				return calls{}, err
			}
			*one.to = append(*one.to, ended.Sub(began))
		}
	}
	return c, nil
}
