package engine

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// Exec runs a command in the container and waits until it ends. It returns the exit
// status and writes both output streams to out. If ctx ends first, the command keeps
// running, since the Engine cannot end it.
func (c *Client) Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error) {
	return c.exec(ctx, id, container.ExecOptions{Cmd: command}, out)
}

// Hook is a command with a user and an environment of its own.
type Hook struct {
	Command    []string
	User       string
	WorkingDir string
	Env        []string
	Privileged bool
}

// RunHook is Exec for a hook.
func (c *Client) RunHook(ctx context.Context, id string, hook Hook, out io.Writer) (int, error) {
	return c.exec(ctx, id, container.ExecOptions{
		Cmd: hook.Command, User: hook.User, WorkingDir: hook.WorkingDir, Env: hook.Env, Privileged: hook.Privileged,
	}, out)
}

func (c *Client) exec(ctx context.Context, id string, options container.ExecOptions, out io.Writer) (int, error) {
	options.AttachStdout, options.AttachStderr = true, true
	exec, err := c.api().ContainerExecCreate(ctx, id, options)
	if err != nil {
		return 0, fmt.Errorf("run a command in the container: %w", translate(err))
	}
	response, err := hijack(ctx, func() (types.HijackedResponse, error) {
		return c.api().ContainerExecAttach(ctx, exec.ID, container.ExecAttachOptions{})
	})
	if err != nil {
		return 0, fmt.Errorf("run a command in the container: %w", err)
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
	return c.execStatus(ctx, exec.ID)
}

// execStatus returns a command's exit status. The Engine may know it only a moment
// after the end of the output.
func (c *Client) execStatus(ctx context.Context, id string) (int, error) {
	for {
		exec, err := c.api().ContainerExecInspect(ctx, id)
		if err != nil {
			return 0, fmt.Errorf("read the exit status of a command in the container: %w", translate(err))
		}
		if !exec.Running {
			return exec.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("run a command in the container: it has not ended: %w", context.Cause(ctx))
		case <-time.After(50 * time.Millisecond):
		}
	}
}
