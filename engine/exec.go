package engine

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Exec runs a command in the container until it ends, or until ctx does, which
// the command then survives: the Engine ends no command. It returns the
// command's exit status; its output, both streams of it, goes to out.
func (c *Client) Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error) {
	made, err := c.api.ContainerExecCreate(ctx, id, container.ExecOptions{Cmd: command, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, fmt.Errorf("run a command in the container: %w", translate(err))
	}
	response, err := c.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return 0, fmt.Errorf("run a command in the container: %w", translate(err))
	}
	defer response.Close()
	defer context.AfterFunc(ctx, response.Close)()
	_, err = stdcopy.StdCopy(out, out, response.Reader)
	if ctx.Err() != nil {
		return 0, fmt.Errorf("run a command in the container: it has not ended: %w", context.Cause(ctx))
	}
	if err != nil {
		return 0, fmt.Errorf("run a command in the container: %w", translate(err))
	}
	return c.execStatus(ctx, made.ID)
}

// execStatus asks for a command's exit status, which the Engine may learn a
// moment after the end of the output.
func (c *Client) execStatus(ctx context.Context, id string) (int, error) {
	for {
		found, err := c.api.ContainerExecInspect(ctx, id)
		if err != nil {
			return 0, fmt.Errorf("ask how a command in the container ended: %w", translate(err))
		}
		if !found.Running {
			return found.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("run a command in the container: it has not ended: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
