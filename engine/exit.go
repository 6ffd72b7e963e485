package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
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
