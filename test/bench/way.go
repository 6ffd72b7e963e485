package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// settle is the time between two measurements.
const settle = 250 * time.Millisecond

// The runtimes that Docker has registered.
const (
	runtimePlain    = "runc"
	runtimeDockhost = "dockhost"
)

// way is a way to run a container, and its measurements.
type way struct {
	name string
	// program is the command of the engine that runs the container: docker or podman.
	program   string
	container string
	// unit is the unit that runs the container; "" if the engine runs it without one.
	unit  string
	start command
	stop  []command

	started, stopped samples
	// The parts of started: until the engine begins to create the container, until the container's process runs, and
	// until the command returns.
	toCreate, toRun, toReturn samples
	// crashed is the time from the end of the container's first process until the unit is ready again, or without a
	// unit until the container runs again.
	crashed samples
}

// ways are compared with each other. The first two are the same to Docker, so their difference is the noise.
type ways struct {
	docker, plain, passThrough *way
	// assigned is dockhost@NAME.service, and run a hand-written unit.
	assigned, run *way
	// quadlet is a unit of Podman; nil without Podman.
	quadlet *way
	// restarting is docker with a restart policy.
	restarting *way
}

func newWays(o options) ways {
	w := ways{
		docker:      dockerWay(o.image),
		plain:       dockerWay(o.image, "--runtime", runtimePlain),
		passThrough: dockerWay(o.image, "--runtime", runtimeDockhost),
		assigned:    unitWay("dockhost@"+o.container, "docker", "dockhost@"+o.container, o.container),
		run:         unitWay("dockhost run in a unit", "docker", runUnit, runUnit),
		restarting:  dockerWay(o.image, "--restart", "always"),
	}
	if o.noQuadlet == "" {
		w.quadlet = unitWay("Podman quadlet", "podman", quadletUnit, quadletUnit)
	}
	return w
}

func dockerWay(image string, flags ...string) *way {
	const name = "dockhost-bench"
	start := command{"docker", "run", "-d", "--name", name, "--no-healthcheck"}
	return &way{
		name:      strings.Join(append([]string{"docker run -d"}, flags...), " "),
		program:   "docker",
		container: name,
		start:     append(append(start, flags...), image),
		stop:      []command{{"docker", "stop", name}, {"docker", "rm", name}},
	}
}

func unitWay(name, program, unit, container string) *way {
	return &way{
		name:      name,
		program:   program,
		container: container,
		unit:      unit,
		start:     command{"systemctl", "start", unit},
		stop:      []command{{"systemctl", "stop", unit}},
	}
}

// toStart are the ways whose start and stop are compared.
func (w ways) toStart() []*way {
	return w.withQuadlet(w.docker, w.plain, w.passThrough, w.assigned, w.run)
}

// toCrash are the ways that bring a container back.
func (w ways) toCrash() []*way { return w.withQuadlet(w.restarting, w.assigned, w.run) }

func (w ways) withQuadlet(list ...*way) []*way {
	if w.quadlet != nil {
		list = append(list, w.quadlet)
	}
	return list
}

// inTurns runs each way once to warm up, and then all ways in turns, so that other load on the machine affects all alike.
func inTurns(ctx context.Context, progress io.Writer, what string, list []*way, runs int, measure func(context.Context, *way) error) error {
	for _, w := range list {
		discarded := *w
		if err := measure(ctx, &discarded); err != nil {
			return fmt.Errorf("%s of %s: %w", what, w.name, err)
		}
	}
	for i := range runs {
		fmt.Fprintf(progress, "dockhost-bench: %s, run %d of %d\n", what, i+1, runs)
		for j := range list {
			w := list[(i+j)%len(list)]
			if err := measure(ctx, w); err != nil {
				return fmt.Errorf("%s of %s: %w", what, w.name, err)
			}
		}
	}
	return nil
}

// measureStart measures one start and one stop.
func measureStart(ctx context.Context, w *way) error {
	if err := pause(ctx, settle); err != nil {
		return err
	}
	began, ended, err := timed(ctx, w.start)
	if err != nil {
		return err
	}
	c, err := inspect(ctx, w.program, w.container)
	if err != nil {
		return err
	}
	w.started = append(w.started, ended.Sub(began))
	w.toCreate = append(w.toCreate, c.Created.Sub(began))
	w.toRun = append(w.toRun, c.State.StartedAt.Sub(c.Created))
	w.toReturn = append(w.toReturn, ended.Sub(c.State.StartedAt))
	if err := pause(ctx, settle); err != nil {
		return err
	}
	began, ended, err = timed(ctx, w.stop...)
	w.stopped = append(w.stopped, ended.Sub(began))
	return err
}

// container is the part of docker inspect that podman inspect has too.
type container struct {
	Created time.Time
	State   struct {
		StartedAt time.Time
		Running   bool
		Pid       int
	}
}

func inspect(ctx context.Context, program, name string) (container, error) {
	query := command{program, "container", "inspect", name}
	out, err := query.output(ctx)
	if err != nil {
		return container{}, err
	}
	var containers []container
	if err := json.Unmarshal([]byte(out), &containers); err != nil {
		return container{}, fmt.Errorf("%s: %w", query, err)
	}
	if len(containers) != 1 {
		return container{}, fmt.Errorf("%s prints %d containers, want 1", query, len(containers))
	}
	return containers[0], nil
}
