package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/docker/docker/api/types/container"
)

// Exit says how a container ended.
type Exit struct {
	// Code is the exit code, 128+n if signal n killed the process.
	Code int
	// Err is set if the Engine could not report the exit.
	Err error
}

// Wait returns a channel that receives the container's next exit. It returns after
// the Engine has accepted the request, so that a Start that follows cannot be
// missed.
func (c *Client) Wait(ctx context.Context, id string) <-chan Exit {
	return c.wait(ctx, id, container.WaitConditionNextExit)
}

// WaitEnded is Wait for a container that was started before. If it has ended already,
// the channel receives the exit at once. It does not wait for the Engine.
func (c *Client) WaitEnded(ctx context.Context, id string) <-chan Exit {
	exit := make(chan Exit, 1)
	go func() { exit <- <-c.wait(ctx, id, container.WaitConditionNotRunning) }()
	return exit
}

func (c *Client) wait(ctx context.Context, id string, condition container.WaitCondition) <-chan Exit {
	exit := make(chan Exit, 1)
	ctx, opened := opening(ctx)
	results, errs := c.api().ContainerWait(ctx, id, condition)
	opened()
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
