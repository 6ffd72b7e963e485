package engine

import (
	"context"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Change is a change that the Engine reports.
type Change struct {
	// Kind is the type of what was created, removed, renamed or loaded: "container",
	// "daemon", "image", "network" or "volume". "exit" is the end of a container, which
	// frees its ports and keeps its name.
	Kind string
	At   time.Time
}

// Changes returns the changes since a time that the Engine still remembers, and those
// to come. Of containers it reports no start. The channel is closed when ctx ends or
// the connection to the Engine is lost.
func (c *Client) Changes(ctx context.Context, since time.Time) <-chan Change {
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
	messages, errs := c.api().Events(ctx, events.ListOptions{Filters: args, Since: since.Format(time.RFC3339Nano)})
	out := make(chan Change)
	go func() {
		defer close(out)
		for {
			select {
			case m := <-messages:
				change := Change{Kind: string(m.Type), At: time.Unix(0, m.TimeNano)}
				switch {
				case m.Type == events.ContainerEventType && m.Action == events.ActionCreate:
					continue
				case m.Action == events.ActionDie:
					change.Kind = "exit"
				}
				select {
				case out <- change:
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
