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

// measureCrash kills a container's first process, and measures until the container is back.
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

// awaitReady returns when it became ready, once it did after the given time. It asks seldom, for the time is on record and
// each question costs the machine a process.
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

// readySince says whether the unit is ready, and since when; without a unit, whether the container runs.
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

// sinceBoot is the time of systemd's monotonic timestamps, which count microseconds. The others show whole seconds only.
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
