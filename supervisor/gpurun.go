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

// gpuCommand is `dockhost gpu COMMAND`, which ends with ctx.
func (s *Supervisor) gpuCommand(ctx context.Context, command string, input []byte, end unix.Signal, stderr *bytes.Buffer) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.Program, "gpu", command)
	cmd.Cancel = func() error { return cmd.Process.Signal(end) }
	cmd.WaitDelay = 5 * time.Second
	cmd.Stdin, cmd.Stderr = bytes.NewReader(input), stderr
	return cmd
}

// runAttach runs `dockhost gpu attach` and returns its answer.
func (s *Supervisor) runAttach(ctx context.Context, input []byte) (attachment.Attachment, error) {
	var stderr bytes.Buffer
	cmd := s.gpuCommand(ctx, "attach", input, unix.SIGTERM, &stderr)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return attachment.Attachment{}, fmt.Errorf("run %s (is dockhost installed whole?): %w", s.Program, err)
	}
	found, err := attachment.Read(out, s.tellGPU)
	waitErr := cmd.Wait()
	if _, refused := errors.AsType[attachment.Refusal](err); err == nil || refused {
		return found, err
	}
	return found, fmt.Errorf("run %s gpu attach: %w: %s", s.Program, errors.Join(err, waitErr), firstLine(stderr.String()))
}

// runCheck runs `dockhost gpu check` and returns what it printed. The error is
// [errSilent] when it does not end in time.
func (s *Supervisor) runCheck(ctx context.Context, input []byte) ([]byte, error) {
	var stderr bytes.Buffer
	out, err := s.gpuCommand(ctx, "check", input, unix.SIGKILL, &stderr).Output()
	switch {
	case ctx.Err() != nil:
		return nil, errSilent
	case err != nil && stderr.Len() > 0:
		return nil, errors.New(firstLine(stderr.String()))
	}
	return out, err
}
