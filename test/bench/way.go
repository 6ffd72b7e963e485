package main

import (
	"context"
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

// way is one way to run a container, and how long it took each time.
type way struct {
	name      string
	container string
	start     command
	stop      []command

	started, stopped samples
	// The parts of started: until Docker began to create the container, until the container's process ran, and
	// until the command returned.
	asked, made, returned samples
}

// ways are what is compared. The first and the second are the same to Docker: how far they are apart is the noise.
type ways struct {
	docker, plain, passThrough, unit *way
}

func newWays(o options) ways {
	unit := "dockhost@" + o.container + ".service"
	return ways{
		docker:      dockerWay(o.image),
		plain:       dockerWay(o.image, "--runtime", runtimePlain),
		passThrough: dockerWay(o.image, "--runtime", runtimeDockhost),
		unit: &way{
			name:      "systemctl start " + strings.TrimSuffix(unit, ".service"),
			container: o.container,
			start:     command{"systemctl", "start", unit},
			stop:      []command{{"systemctl", "stop", unit}},
		},
	}
}

func dockerWay(image string, flags ...string) *way {
	const name = "dockhost-bench"
	start := command{"docker", "run", "-d", "--name", name}
	return &way{
		name:      strings.Join(append([]string{"docker run -d"}, flags...), " "),
		container: name,
		start:     append(append(start, flags...), image),
		stop:      []command{{"docker", "stop", name}, {"docker", "rm", name}},
	}
}

func (w ways) list() []*way { return []*way{w.docker, w.plain, w.passThrough, w.unit} }

// measure runs each way once for nothing, and then in turns, so that whatever else the machine does befalls all alike.
func measure(ctx context.Context, progress io.Writer, all ways, runs int) error {
	list := all.list()
	for _, w := range list {
		if err := w.measure(ctx); err != nil {
			return err
		}
		w.forget()
	}
	for i := range runs {
		fmt.Fprintf(progress, "dockhost-bench: run %d of %d\n", i+1, runs)
		for j := range list {
			if err := list[(i+j)%len(list)].measure(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *way) measure(ctx context.Context) error {
	if err := pause(ctx, settle); err != nil {
		return err
	}
	began, ended, err := timed(ctx, w.start)
	if err != nil {
		return err
	}
	created, running, err := milestones(ctx, w.container)
	if err != nil {
		return err
	}
	w.started = append(w.started, ended.Sub(began))
	w.asked = append(w.asked, created.Sub(began))
	w.made = append(w.made, running.Sub(created))
	w.returned = append(w.returned, ended.Sub(running))
	if err := pause(ctx, settle); err != nil {
		return err
	}
	began, ended, err = timed(ctx, w.stop...)
	w.stopped = append(w.stopped, ended.Sub(began))
	return err
}

func (w *way) forget() {
	w.started, w.stopped, w.asked, w.made, w.returned = nil, nil, nil, nil, nil
}

// milestones asks Docker when it began to create the container, and when the container's process ran.
func milestones(ctx context.Context, container string) (created, running time.Time, err error) {
	inspect := command{"docker", "container", "inspect", "-f", "{{.Created}} {{.State.StartedAt}}", container}
	out, err := inspect.output(ctx)
	if err != nil {
		return created, running, err
	}
	first, second, _ := strings.Cut(out, " ")
	if created, err = time.Parse(time.RFC3339Nano, first); err != nil {
		return created, running, fmt.Errorf("%s: %w", inspect, err)
	}
	if running, err = time.Parse(time.RFC3339Nano, second); err != nil {
		return created, running, fmt.Errorf("%s: %w", inspect, err)
	}
	return created, running, nil
}

// calls are how long one call of the OCI runtime takes that does nothing, without and with dockhost's before it. Docker
// makes a handful for each start of a container.
type calls struct {
	plain, passThrough samples
}

const (
	// plainPath is found in PATH, as dockhost-runtime finds it.
	plainPath    = "runc"
	dockhostPath = "/usr/libexec/dockhost/dockhost-runtime"
	// callsPerRun is how often more than the other commands these are measured: they are short.
	callsPerRun = 4
)

func measureCalls(ctx context.Context, runs int) (calls, error) {
	var c calls
	for range runs * callsPerRun {
		for _, one := range []struct {
			to   *samples
			path string
		}{{&c.plain, plainPath}, {&c.passThrough, dockhostPath}} {
			began, ended, err := timed(ctx, command{one.path, "--version"})
			if err != nil {
				return calls{}, err
			}
			*one.to = append(*one.to, ended.Sub(began))
		}
	}
	return c, nil
}
