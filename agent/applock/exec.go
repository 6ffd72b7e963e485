package applock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/oneline"
)

const (
	// timeout bounds the command.
	timeout = 30 * time.Second
	// maxOutput is how many bytes of the command's output are kept, maxText how many
	// characters of them are returned.
	maxOutput, maxText = 4 << 10, 200
	// notNow is EX_TEMPFAIL of sysexits.h.
	notNow = 75
)

// execer is what the question needs from Docker.
type execer interface {
	Exec(ctx context.Context, id string, command []string, out io.Writer) (int, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
}

// ExecFree runs a command in a container, which exits with 0 while the application may be
// stopped, and with 75 (EX_TEMPFAIL) while it may not. It returns the last line of the
// output, shortened and without control characters.
//
// A container that does not run has nothing to protect, so it is free. Any other exit
// status, no end within 30 seconds, and an Engine that does not answer are errors: a
// command that is broken does not allow to stop an application that a lock protects.
func ExecFree(ctx context.Context, docker execer, id string, command []string) (free bool, output string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, timeout, fmt.Errorf("no end within %s", timeout))
	defer cancel()
	var out tail
	status, err := docker.Exec(ctx, id, command, &out)
	switch {
	case errors.Is(err, engine.ErrNotFound), errors.Is(err, engine.ErrConflict):
		return notRunning(ctx, docker, id)
	case err != nil:
		return false, out.lastLine(), fmt.Errorf("ask the application by update.lock.exec: %w", err)
	case status == notNow:
		return false, out.lastLine(), nil
	case status != 0:
		return false, out.lastLine(), fmt.Errorf("update.lock.exec exited with %d: write a command that exits with 0 (may be stopped) or %d (not now)", status, notNow)
	}
	return true, out.lastLine(), nil
}

// notRunning returns the answer for a container in which no command can run.
func notRunning(ctx context.Context, docker execer, id string) (free bool, output string, err error) {
	c, err := docker.Inspect(ctx, id)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return true, "", nil
	case err != nil:
		return false, "", fmt.Errorf("ask the application by update.lock.exec: %w", err)
	case c.Status == container.StatePaused:
		return false, "", fmt.Errorf("ask the application by update.lock.exec: the container is paused (run: docker unpause %s)", c.Name)
	}
	return true, "", nil
}

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(text []byte) (int, error) {
	if n := len(text); n >= maxOutput {
		t.text = append(t.text[:0], text[n-maxOutput:]...)
		return n, nil
	}
	if excess := len(t.text) + len(text) - maxOutput; excess > 0 {
		t.text = append(t.text[:0], t.text[excess:]...)
	}
	t.text = append(t.text, text...)
	return len(text), nil
}

// lastLine returns the last line with text.
func (t *tail) lastLine() string {
	text := strings.TrimSpace(string(t.text))
	text = text[strings.LastIndexAny(text, "\r\n")+1:]
	return oneline.Of(text, maxText)
}
