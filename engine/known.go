package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// known is what the Engine said last about its configuration, while that still holds.
type known struct {
	mu   sync.Mutex
	on   bool
	info *Info
}

// RememberInfo makes Info ask the Engine for its configuration only if the Engine may have
// changed it since: after a restart or a reload. For each such question Docker executes runc
// and docker-init.
func (c *Client) RememberInfo() {
	c.known.mu.Lock()
	defer c.known.mu.Unlock()
	c.known.on = true
}

// Info returns the Engine's version and configuration. The caller must not change its maps
// and slices.
func (c *Client) Info(ctx context.Context) (Info, error) {
	c.known.mu.Lock()
	on, info := c.known.on, c.known.info
	c.known.mu.Unlock()
	if !on {
		return c.askInfo(ctx)
	}
	if info == nil {
		return c.learnInfo(ctx)
	}
	if err := c.Ping(ctx); err != nil {
		return Info{}, fmt.Errorf("ask Docker for its configuration: %w", err)
	}
	return *info, nil
}

// learnInfo asks the Engine, and remembers the answer until the Engine's next change.
func (c *Client) learnInfo(ctx context.Context) (Info, error) {
	// The stream outlives this call, and tells of a change that comes right after the answer.
	stream, stop := context.WithCancel(context.WithoutCancel(ctx))
	keep := context.AfterFunc(ctx, stop)
	changed := c.reconfigured(stream)
	answer, err := c.askInfo(ctx)
	if err != nil {
		stop()
		return Info{}, err
	}
	keep()
	info := &answer
	c.known.set(info)
	go func() {
		defer stop()
		<-changed
		c.known.forget(info)
	}()
	return answer, nil
}

// reconfigured returns a channel that is closed when the Engine has read its configuration
// again, when the connection to it is lost, or when ctx ends.
func (c *Client) reconfigured(ctx context.Context) <-chan struct{} {
	ctx, opened := opening(ctx)
	messages, errs := c.api().Events(ctx, events.ListOptions{Filters: filters.NewArgs(
		filters.Arg("type", string(events.DaemonEventType)), filters.Arg("event", string(events.ActionReload)),
	)})
	opened()
	changed := make(chan struct{})
	go func() {
		defer close(changed)
		select {
		case <-messages:
		case <-errs: //nolint:errcheck // either way, the Engine has to be asked again
		}
	}()
	return changed
}

func (k *known) set(info *Info) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.info = info
}

// forget forgets an answer, unless another one has taken its place.
func (k *known) forget(info *Info) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.info == info {
		k.info = nil
	}
}
