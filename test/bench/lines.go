package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// linesFile is on a tmpfs, so that no disk is measured.
	linesFile = "/run/dockhost-bench/lines"
	// linesTurns is the highest number of times that a program relays all lines.
	linesTurns = 5
	mebibyte   = 1 << 20
	// lineLength divides a mebibyte, so that dd cuts no line.
	lineLength = 128
)

// relay is a unit that relays its container's output to a file, and its measurements.
type relay struct {
	name string
	unit string
	// took is the time from the first byte to the last, and cpu the main process's CPU time for them.
	took, cpu samples
	// memory is the memory of the main process afterwards.
	memory memory
}

type relays struct {
	client, run *relay
}

func newRelays() relays {
	return relays{
		client: &relay{name: "docker run, attached", unit: linesClientUnit},
		run:    &relay{name: "dockhost run", unit: linesRunUnit},
	}
}

func (r relays) list() []*relay { return []*relay{r.client, r.run} }

// linesArgs are the options, the image and the command of a container that writes lines as fast as it can, and then waits
// for its stop. It reads many lines at a time from memory, so that the relay is measured, and not the container. Docker
// keeps no copy.
func linesArgs(o options) string {
	line := fmt.Sprintf("%-*s", lineLength-1, "2026-11-22T14:00:00Z INFO request served method=GET path=/v1/things status=200 duration=17ms")
	script := fmt.Sprintf(`yes "%s" | head -c %d >/lines/one; trap exit TERM; cat $$(yes /lines/one | head -n %d); sleep 1d & wait`,
		line, mebibyte, o.linesMiB)
	return fmt.Sprintf("--log-driver none --tmpfs /lines %s sh -c '%s'", o.shellImage, script)
}

// measureLines lets both programs relay the same lines in turns.
func measureLines(ctx context.Context, o options, list []*relay) error {
	for i := range min(o.runs, linesTurns) {
		for j := range list {
			r := list[(i+j)%len(list)]
			if err := r.measure(ctx, int64(o.linesMiB)*mebibyte); err != nil {
				return fmt.Errorf("log lines through %s: %w", r.name, err)
			}
		}
	}
	return nil
}

func (r *relay) measure(ctx context.Context, size int64) (err error) {
	if err := os.MkdirAll(filepath.Dir(linesFile), 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(linesFile, nil, 0o600); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(filepath.Dir(linesFile))) }()
	if _, _, err := timed(ctx, command{"systemctl", "start", r.unit}); err != nil {
		return err
	}
	defer func() {
		_, _, stopErr := timed(ctx, command{"systemctl", "stop", r.unit})
		err = errors.Join(err, stopErr)
	}()
	pid, err := mainPID(ctx, r.unit)
	if err != nil {
		return err
	}
	began, cpuBefore, err := r.await(ctx, pid, 1)
	if err != nil {
		return err
	}
	ended, cpuAfter, err := r.await(ctx, pid, size)
	if err != nil {
		return err
	}
	r.took = append(r.took, ended.Sub(began))
	r.cpu = append(r.cpu, cpuAfter-cpuBefore)
	r.memory, err = readMemory(pid)
	return err
}

// linesPoll is the interval between looks at the file.
const linesPoll = 5 * time.Millisecond

// await waits until the file has a size, and returns when it did and the CPU time of the process until then.
func (r *relay) await(ctx context.Context, pid int, size int64) (time.Time, time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	for {
		file, err := os.Stat(linesFile)
		if err != nil {
			return time.Time{}, 0, err
		}
		if file.Size() >= size {
			cpu, err := readCPU(pid)
			return time.Now(), cpu, err
		}
		if err := pause(ctx, linesPoll); err != nil {
			return time.Time{}, 0, fmt.Errorf("wait for %d bytes, got %d: %w", size, file.Size(), err)
		}
	}
}
