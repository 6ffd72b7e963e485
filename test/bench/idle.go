package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// resident is a unit whose main process runs as long as its container.
type resident struct {
	name            string
	program         string
	container, unit string
	memory          memory
	// wakeups is the number of wakeups per minute of the idle process.
	wakeups float64
}

// residents are the units that are compared, with a container without a health check, and with one whose health check
// Docker runs each second.
type residents struct {
	client, assigned, run          *resident
	quadlet                        *resident // nil without Podman
	clientChecked, assignedChecked *resident
}

func newResidents(o options) residents {
	r := residents{
		client:          &resident{name: "docker run, attached", program: "docker", container: clientUnit, unit: clientUnit},
		assigned:        &resident{name: "dockhost@" + o.container, program: "docker", container: o.container, unit: "dockhost@" + o.container},
		run:             &resident{name: "dockhost run in a unit", program: "docker", container: runUnit, unit: runUnit},
		clientChecked:   &resident{name: "docker run, attached", program: "docker", container: clientCheckedUnit, unit: clientCheckedUnit},
		assignedChecked: &resident{name: "dockhost@" + o.checked, program: "docker", container: o.checked, unit: "dockhost@" + o.checked},
	}
	if o.noQuadlet == "" {
		r.quadlet = &resident{name: "Podman quadlet (conmon)", program: "podman", container: quadletUnit, unit: quadletUnit}
	}
	return r
}

func (r residents) unchecked() []*resident {
	list := []*resident{r.client, r.assigned, r.run}
	if r.quadlet != nil {
		list = append(list, r.quadlet)
	}
	return list
}

func (r residents) all() []*resident {
	return append(r.unchecked(), r.clientChecked, r.assignedChecked)
}

const (
	// beforeMemory is the time between a process's start and the reading of its memory.
	beforeMemory = 10 * time.Second
	// beforeWakeups is the time before its wakeups are counted. It outlasts the timeouts of half a minute that begin at
	// its start.
	beforeWakeups = time.Minute
)

// measureMemory reads the memory of one resident at a time: two processes of one program would share pages, which PSS
// divides between them.
func measureMemory(ctx context.Context, all []*resident) error {
	for _, r := range all {
		if err := r.measureMemory(ctx); err != nil {
			return fmt.Errorf("memory of %s: %w", r.name, err)
		}
	}
	return nil
}

func (r *resident) measureMemory(ctx context.Context) (err error) {
	pid, err := r.start(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop(ctx)) }()
	if err := pause(ctx, beforeMemory); err != nil {
		return err
	}
	r.memory, err = readMemory(pid)
	return err
}

// measureWakeups counts the context switches to all residents at the same time.
func measureWakeups(ctx context.Context, all []*resident, idle time.Duration) (err error) {
	pids, before := make([]int, len(all)), make([]int, len(all))
	for i, r := range all {
		if pids[i], err = r.start(ctx); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, r.stop(ctx)) }()
	}
	if err := pause(ctx, beforeWakeups); err != nil {
		return err
	}
	for i, pid := range pids {
		if before[i], err = readSwitches(pid); err != nil {
			return err
		}
	}
	if err := pause(ctx, idle); err != nil {
		return err
	}
	for i, r := range all {
		after, err := readSwitches(pids[i])
		if err != nil {
			return fmt.Errorf("wakeups of %s: %w", r.name, err)
		}
		r.wakeups = float64(after-before[i]) / idle.Minutes()
	}
	return nil
}

// start starts the unit, and returns its main process once the container runs.
func (r *resident) start(ctx context.Context) (int, error) {
	if _, _, err := timed(ctx, command{"systemctl", "start", r.unit}); err != nil {
		return 0, err
	}
	if err := awaitRunning(ctx, r.program, r.container); err != nil {
		return 0, err
	}
	return mainPID(ctx, r.unit)
}

func (r *resident) stop(ctx context.Context) error {
	_, _, err := timed(ctx, command{"systemctl", "stop", r.unit})
	return err
}

// awaitRunning waits until the engine reports that the container runs.
func awaitRunning(ctx context.Context, program, name string) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	for {
		c, err := inspect(ctx, program, name)
		if err == nil && c.State.Running {
			return nil
		}
		if waitErr := pause(ctx, settle); waitErr != nil {
			return fmt.Errorf("wait for container %s: %w", name, errors.Join(waitErr, err))
		}
	}
}
