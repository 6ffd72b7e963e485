package supervisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/gpu/attachment"
)

// gpuProgram is the path of the program dockhost. It handles GPUs in its own
// process, so that no supervisor carries the libraries for them.
type gpuProgram string

// attach runs `dockhost gpu attach` and returns its answer. relay gets the
// messages that come before.
func (p gpuProgram) attach(ctx context.Context, input []byte, relay func(attachment.Message)) (attachment.Attachment, error) {
	var stderr bytes.Buffer
	cmd := p.command(ctx, "attach", input, unix.SIGTERM, &stderr)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return attachment.Attachment{}, fmt.Errorf("run %s (is dockhost installed completely?): %w", p, err)
	}
	attached, err := attachment.Read(out, relay)
	waitErr := cmd.Wait()
	if _, refused := errors.AsType[attachment.Refusal](err); err == nil || refused {
		return attached, err
	}
	return attached, fmt.Errorf("run %s gpu attach: %w: %s", p, errors.Join(err, waitErr), firstLine(stderr.String()))
}

// check runs `dockhost gpu check` and returns what it printed. The error is
// [errSilent] when ctx ends before the program does.
func (p gpuProgram) check(ctx context.Context, input []byte) ([]byte, error) {
	var stderr bytes.Buffer
	out, err := p.command(ctx, "check", input, unix.SIGKILL, &stderr).Output()
	switch {
	case ctx.Err() != nil:
		return nil, errSilent
	case err != nil && stderr.Len() > 0:
		return nil, errors.New(firstLine(stderr.String()))
	}
	return out, err
}

// command is `dockhost gpu NAME`; the signal end stops it when ctx ends.
func (p gpuProgram) command(ctx context.Context, name string, input []byte, end unix.Signal, stderr *bytes.Buffer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, string(p), "gpu", name)
	cmd.Cancel = func() error { return cmd.Process.Signal(end) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), stderr
	return cmd
}
