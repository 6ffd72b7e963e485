package main

import "context"

// calls are how long one call of the OCI runtime takes that does nothing, without and with dockhost's before it. Docker
// makes a handful for each start of a container.
type calls struct {
	plain, passThrough samples
}

const (
	// plainPath is found in PATH, as dockhost-runtime finds it.
	plainPath    = "runc"
	dockhostPath = "/usr/libexec/dockhost/dockhost-runtime"
	// callsPerRun is how often more than the other commands these are measured: they are short.
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
