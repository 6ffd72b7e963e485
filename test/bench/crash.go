package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// measureCrash kills a container's first process, and measures the time until the container runs again.
func measureCrash(ctx context.Context, w *way) error {
	if _, _, err := timed(ctx, w.start); err != nil {
		return err
	}
	if err := pause(ctx, settle); err != nil {
		return err
	}
	c, err := inspect(ctx, w.program, w.container)
	if err != nil {
		return err
	}
	killed := time.Now()
	if err := syscall.Kill(c.State.Pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill process %d of container %s: %w", c.State.Pid, w.container, err)
	}
	back, err := w.awaitReady(ctx, killed)
	if err != nil {
		return err
	}
	w.crashed = append(w.crashed, back.Sub(killed))
	if err := pause(ctx, settle); err != nil {
		return err
	}
	_, _, err = timed(ctx, w.stop...)
	return err
}

// awaitReady waits until a way has become ready after the given time, and returns when it did. It polls rarely: the time
// is on record, and each query starts a process.
func (w *way) awaitReady(ctx context.Context, after time.Time) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	for {
		if err := pause(ctx, settle); err != nil {
			return time.Time{}, fmt.Errorf("wait for %s to be ready again: %w", w.name, err)
		}
		at, ready, err := w.readySince(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if ready && at.After(after) {
			return at, nil
		}
	}
}

// readySince reports whether the unit is ready and since when, or without a unit whether the container runs.
func (w *way) readySince(ctx context.Context) (time.Time, bool, error) {
	if w.unit == "" {
		c, err := inspect(ctx, w.program, w.container)
		return c.State.StartedAt, c.State.Running, err
	}
	state, err := property(ctx, w.unit, "ActiveState")
	if err != nil || state != "active" {
		return time.Time{}, false, err
	}
	at, err := property(ctx, w.unit, "ActiveEnterTimestampMonotonic")
	if err != nil {
		return time.Time{}, false, err
	}
	since, err := sinceBoot(at)
	return since, true, err
}

func property(ctx context.Context, unit, name string) (string, error) {
	return command{"systemctl", "show", "--value", "-p", name, unit}.output(ctx)
}

// sinceBoot converts one of systemd's monotonic timestamps. They count microseconds; its other timestamps have whole
// seconds.
func sinceBoot(timestamp string) (time.Time, error) {
	at, err := strconv.ParseInt(strings.TrimSpace(timestamp), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("monotonic timestamp: %w", err)
	}
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return time.Time{}, fmt.Errorf("read the clock: %w", err)
	}
	return time.Now().Add(time.Duration(at)*time.Microsecond - time.Duration(now.Nano())), nil
}
