package agent

import (
	"context"
	"maps"
	"slices"
)

// rollouts are the changes that are under way, by the container's name.
type rollouts map[string]rolling

// rolling is one of them.
type rolling struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// start begins one, which ends with ctx.
func (r rollouts) start(ctx context.Context, name string, run func(context.Context)) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	r[name] = rolling{cancel: cancel, done: done}
	go func() {
		defer close(done)
		defer cancel()
		run(ctx)
	}()
}

// stop abandons those of the given names, or all, and returns when they have
// ended.
func (r rollouts) stop(names ...string) {
	if len(names) == 0 {
		names = slices.Collect(maps.Keys(r))
	}
	for _, name := range names {
		if one, found := r[name]; found {
			one.cancel()
		}
	}
	for _, name := range names {
		if one, found := r[name]; found {
			<-one.done
			delete(r, name)
		}
	}
}

// Wait returns when all have ended.
func (r rollouts) Wait() {
	for _, one := range r {
		<-one.done
	}
}
