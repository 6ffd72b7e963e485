package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine/resume"
)

// Output says where a container's output is written.
type Output = resume.Output

// Relay copies one container's output to an [Output].
type Relay = resume.Relay

// noDetachKeys replaces Docker's keys to detach a terminal, with which the output
// would end. Nobody types these.
const noDetachKeys = "ctrl-@,ctrl-_,ctrl-@,ctrl-_,ctrl-@,ctrl-_,ctrl-@,ctrl-_"

// Attach relays a container's output until it ends. Attached before the start,
// it misses nothing. The caller closes the relay. in is relayed to the container's
// standard input until it ends; nil is for none.
func (c *Client) Attach(ctx context.Context, id string, in io.Reader, out Output) (*Relay, error) {
	stdout, stderr := out.Wanted()
	if !stdout && !stderr && in == nil {
		return resume.Start(out, nil), nil
	}
	options := container.AttachOptions{Stream: true, Stdin: in != nil, Stdout: stdout, Stderr: stderr}
	if in != nil && out.TTY {
		options.DetachKeys = noDetachKeys
	}
	response, err := hijack(ctx, func() (types.HijackedResponse, error) { return c.api().ContainerAttach(ctx, id, options) })
	if err != nil {
		return nil, fmt.Errorf("attach to container: %w", err)
	}
	if in != nil {
		go func() {
			// A container that does not read blocks this goroutine alone. It ends with
			// the process.
			_, _ = io.Copy(response.Conn, in)
			_ = response.CloseWrite()
		}()
	}
	return resume.Start(out, struct {
		io.Reader
		io.Closer
	}{response.Reader, response.Conn}), nil
}

// Follow continues a relay whose connection was lost, from the container's log:
// with what came after the last relayed byte, until the container ends. It
// returns nil at the end of the log, [ErrUnreadable] when the container's
// logging driver keeps no readable log, [ErrBroken] when Docker cannot read the
// rest of the log, and [ErrNotFound] when the container does not exist. After any other error it may be called again and continues where
// it stopped.
func (c *Client) Follow(ctx context.Context, id string, r *Relay) error {
	err := r.Follow(ctx, func(ctx context.Context, request resume.LogRequest) (io.ReadCloser, error) {
		return c.openLog(ctx, id, request)
	})
	switch {
	case errors.Is(err, resume.ErrInstead):
		return fmt.Errorf("read the container's log: %w", classified{err, ErrBroken})
	case err != nil:
		return fmt.Errorf("read the container's log: %w", err)
	}
	return nil
}

func (c *Client) openLog(ctx context.Context, id string, request resume.LogRequest) (io.ReadCloser, error) {
	options := container.LogsOptions{
		ShowStdout: request.Stdout, ShowStderr: request.Stderr, Timestamps: true, Follow: request.Follow,
		Tail: "all", Since: logTime(request.Since), Until: logTime(request.Until),
	}
	if request.Tail > 0 {
		options.Tail = strconv.Itoa(request.Tail)
	}
	log, err := c.api().ContainerLogs(ctx, id, options)
	if cerrdefs.IsNotImplemented(err) {
		return nil, classified{err, ErrUnreadable}
	}
	return log, translate(err)
}

// logTime writes a time as the client takes it, "" for none.
func logTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339Nano)
}

// Resize changes the size of a container's terminal.
func (c *Client) Resize(ctx context.Context, id string, width, height int) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	size := container.ResizeOptions{Width: uint(max(width, 0)), Height: uint(max(height, 0))}
	if err := c.api().ContainerResize(ctx, id, size); err != nil {
		return fmt.Errorf("resize the container's terminal: %w", translate(err))
	}
	return nil
}
