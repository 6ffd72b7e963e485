package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
)

// Exit is how a container ended.
type Exit struct {
	// Code is the exit code; 128+n for a process that was killed by signal n.
	Code int
	// Err is set when the Engine could not tell.
	Err error
}

// Wait returns a channel that gets the container's next exit. Called before
// the start, no exit is missed. It returns once the Engine has taken the
// request, so that a start may follow.
func (c *Client) Wait(ctx context.Context, id string) <-chan Exit {
	return c.wait(ctx, id, container.WaitConditionNextExit)
}

// WaitEnded is Wait for a container that was started before: one that has
// ended already is told at once.
func (c *Client) WaitEnded(ctx context.Context, id string) <-chan Exit {
	return c.wait(ctx, id, container.WaitConditionNotRunning)
}

func (c *Client) wait(ctx context.Context, id string, condition container.WaitCondition) <-chan Exit {
	exit := make(chan Exit, 1)
	results, errs := c.api.ContainerWait(ctx, id, condition)
	go func() {
		select {
		case result := <-results:
			e := Exit{Code: int(result.StatusCode)}
			if result.Error != nil && result.Error.Message != "" {
				e.Err = errors.New(result.Error.Message)
			}
			exit <- e
		case err := <-errs:
			exit <- Exit{Err: fmt.Errorf("wait for container: %w", translate(err))}
		}
	}()
	return exit
}

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
