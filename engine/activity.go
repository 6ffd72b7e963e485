package engine

import (
	"context"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Activity returns a channel that receives a value after containers have started, ended,
// been paused, or changed their health. Changes that were not received yet are merged.
// The channel is closed when ctx ends or the connection to the Engine is lost.
func (c *Client) Activity(ctx context.Context) <-chan struct{} {
	args := filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)))
	for _, action := range []events.Action{
		events.ActionStart, events.ActionDie, events.ActionDestroy, events.ActionPause, events.ActionUnPause, events.ActionHealthStatus,
	} {
		args.Add("event", string(action))
	}
	messages, errs := c.api().Events(ctx, events.ListOptions{Filters: args})
	out := make(chan struct{}, 1)
	go func() {
		defer close(out)
		for {
			select {
			case <-messages:
				select {
				case out <- struct{}{}:
				default:
				}
			case <-errs: //nolint:errcheck // closing the channel reports the end; the next call reports why
				return
			}
		}
	}()
	return out
}
