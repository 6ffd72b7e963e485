package supervisor

import (
	"context"
	"os"

	"go.uber.org/zap"
	"golang.org/x/term"
)

// resizer changes the size of a container's terminal.
type resizer interface {
	Resize(ctx context.Context, id string, width, height int) error
}

// terminal is the terminal of the supervisor, whose keys and size a container with a
// terminal of its own gets. A nil terminal is for a supervisor without one.
type terminal struct {
	engine resizer
	file   *os.File
	log    *zap.Logger
	// before is the state to return to; nil before the container runs.
	before *term.State
}

// take passes all keys to the container from now on, also those that send signals.
func (t *terminal) take(ctx context.Context, id string) {
	if t == nil {
		return
	}
	var err error
	if t.before, err = term.MakeRaw(int(t.file.Fd())); err != nil {
		t.log.Warn("the terminal does not pass all keys to the container", zap.Error(err))
	}
	t.resize(ctx, id)
}

// resize gives the container's terminal the size of this one.
func (t *terminal) resize(ctx context.Context, id string) {
	width, height, err := term.GetSize(int(t.file.Fd()))
	if err != nil {
		return // it has none, like a serial line
	}
	go func() {
		if err := t.engine.Resize(ctx, id, width, height); err != nil {
			t.log.Debug("terminal not resized", zap.Error(err))
		}
	}()
}

// giveBack returns the terminal to what it was before.
func (t *terminal) giveBack() {
	if t != nil && t.before != nil {
		_ = term.Restore(int(t.file.Fd()), t.before)
	}
}
