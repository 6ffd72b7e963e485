package engine

import (
	"context"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Changes returns the type of each thing that was created, removed, renamed or loaded:
// "container", "daemon", "image", "network" or "volume". Of containers it reports no
// start. The channel is closed when ctx ends or the connection to the Engine is lost.
func (c *Client) Changes(ctx context.Context) <-chan string {
	args := filters.NewArgs()
	for _, kind := range []events.Type{
		events.ContainerEventType, events.DaemonEventType, events.ImageEventType, events.NetworkEventType, events.VolumeEventType,
	} {
		args.Add("type", string(kind))
	}
	for _, action := range []events.Action{
		events.ActionCreate, events.ActionDestroy, events.ActionDie, events.ActionRename, events.ActionReload,
		events.ActionPull, events.ActionLoad, events.ActionTag, events.ActionImport, events.ActionDelete, events.ActionPrune,
	} {
		args.Add("event", string(action))
	}
	messages, errs := c.api.Events(ctx, events.ListOptions{Filters: args})
	out := make(chan string)
	go func() {
		defer close(out)
		for {
			select {
			case m := <-messages:
				if m.Type == events.ContainerEventType && m.Action == events.ActionCreate {
					continue
				}
				select {
				case out <- string(m.Type):
				case <-ctx.Done():
					return
				}
			case <-errs: //nolint:errcheck // closing the channel reports the end; the next call reports why
				return
			}
		}
	}()
	return out
}
