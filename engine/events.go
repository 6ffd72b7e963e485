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

// Event is something that happened to a container.
type Event struct {
	// Action is the Engine's word: start, die, kill, stop, oom, health_status.
	Action string
	// Health is the new health of a health_status event.
	Health string
	// Signal is the number of the signal of a kill event.
	Signal int
}

// Events returns what happens to a container from now on, until ctx ends or
// the Engine goes away; then the channel is closed. Only the named actions
// are sent.
func (c *Client) Events(ctx context.Context, id string, actions ...string) <-chan Event {
	args := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("container", id))
	for _, action := range actions {
		args.Add("event", action)
	}
	messages, errs := c.api.Events(ctx, events.ListOptions{Filters: args})
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
			case <-errs: //nolint:errcheck // the end is told by closing; Wait tells why
				return
			}
		}
	}()
	return out
}

func eventFrom(m events.Message) Event {
	action, health, _ := strings.Cut(string(m.Action), ": ")
	signal, _ := strconv.Atoi(m.Actor.Attributes["signal"]) // other events have none
	return Event{Action: action, Health: health, Signal: signal}
}

// Use is a use of an image by a container: it began or ended.
type Use struct {
	// Image is the reference or ID that the container was made of.
	Image string
	At    time.Time
}

// Uses tells of uses of images, also of those since a time that the Engine still
// knows of, until ctx ends or the Engine goes away; then the channel is closed.
func (c *Client) Uses(ctx context.Context, since time.Time) <-chan Use {
	args := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("event", "start"), filters.Arg("event", "die"))
	options := events.ListOptions{Filters: args}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	messages, errs := c.api.Events(ctx, options)
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
			case <-errs: //nolint:errcheck // the end is told by closing; whoever asks again is told why
				return
			}
		}
	}()
	return out
}
