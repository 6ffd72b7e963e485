package ctl

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dockhost/dockhost/client"
	"github.com/dockhost/dockhost/internal/backoff"
)

// clearScreen is the terminal's escape that erases the screen and the lines above it.
const clearScreen = "\x1b[H\x1b[2J\x1b[3J"

// errEnough ends the watch of the agent.
var errEnough = errors.New("nothing more to wait for")

// watchStatus shows the status, and again whenever it changes, until ctx ends. While the
// agent is away it shows what is known without it.
func (h Host) watchStatus(ctx context.Context, names []string, f statusFlags) error {
	var before []byte
	show := func() error {
		var screen bytes.Buffer
		err := h.status(ctx, &screen, names, f)
		if exitStatus(err) == exitFailed {
			return err
		}
		if ctx.Err() != nil || bytes.Equal(screen.Bytes(), before) {
			return nil //nolint:nilerr // the screen tells it
		}
		switch {
		case h.width() > 0:
			fmt.Fprint(h.Out, clearScreen)
		case before != nil:
			fmt.Fprintln(h.Out)
		}
		before = screen.Bytes()
		_, err = h.Out.Write(before)
		return err
	}
	pauses := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 10 * time.Second}
	for {
		err := client.New(h.Socket).WatchOnce(ctx, show)
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the caller has ended it
		case !client.IsRestart(err):
			return err
		}
		if err := show(); err != nil {
			return err
		}
		if pauses.Wait(ctx) != nil {
			return nil //nolint:nilerr // the caller has ended it
		}
	}
}

// width returns the width of the terminal, 0 without one.
func (h Host) width() int {
	if h.Width == nil {
		return 0
	}
	return h.Width()
}

// until calls a function at once, and whenever the status may have changed, until it
// returns [errEnough], which is no error, or another one. It connects again while the
// agent restarts.
func (h Host) until(ctx context.Context, done func() error) error {
	if err := client.New(h.Socket).Watch(ctx, done); !errors.Is(err, errEnough) {
		return err
	}
	return nil
}
