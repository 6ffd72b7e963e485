package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Event is an event of a container.
type Event struct {
	// Action is the Engine's action: start, die, kill, stop, oom, health_status.
	Action string
	// Health is the new health of a health_status event.
	Health string
	// Signal is the number of the signal of a kill event.
	Signal int
}

// Events returns a container's events with these actions from now on. The channel is
// closed when ctx ends or the connection to the Engine is lost.
func (c *Client) Events(ctx context.Context, id string, actions ...string) <-chan Event {
	args := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("container", id))
	for _, action := range actions {
		args.Add("event", action)
	}
	ctx, opened := opening(ctx)
	messages, errs := c.api().Events(ctx, events.ListOptions{Filters: args})
	opened()
	out := make(chan Event)
	go func() {
		defer close(out)
		for {
			select {
			case m := <-messages:
				select {
				case out <- eventFrom(m):
				case <-ctx.Done():
					return
				}
			case <-errs: //nolint:errcheck // closing the channel reports the end; Wait reports why
				return
			}
		}
	}()
	return out
}

func eventFrom(m events.Message) Event {
	action, health, _ := strings.Cut(string(m.Action), ": ")
	signal, _ := strconv.Atoi(m.Actor.Attributes["signal"]) // other events have no signal
	return Event{Action: action, Health: health, Signal: signal}
}

// Use is the start or end of a container that uses an image.
type Use struct {
	// Image is the reference or ID with which the container was created.
	Image string
	At    time.Time
}

// Uses returns uses of images, including those since a time that the Engine still
// remembers. The channel is closed when ctx ends or the connection to the Engine is
// lost.
func (c *Client) Uses(ctx context.Context, since time.Time) <-chan Use {
	args := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("event", "start"), filters.Arg("event", "die"))
	options := events.ListOptions{Filters: args}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	messages, errs := c.api().Events(ctx, options)
	out := make(chan Use)
	go func() {
		defer close(out)
		for {
			select {
			case m := <-messages:
				select {
				case out <- Use{Image: m.Actor.Attributes["image"], At: time.Unix(0, m.TimeNano)}:
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
