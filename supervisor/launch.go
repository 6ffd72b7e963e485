package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/needs"
)

// endingFor bounds how long a process may take between leaving its cgroup and
// its end.
const endingFor = time.Second

// The exit statuses of docker run for a command that could not be run.
const (
	exitNotInvoked = 126
	exitNotFound   = 127
)

// launcher starts the container and checks that it was born in the unit.
type launcher struct {
	engine    launchEngine
	container *spec.Container
	unit      *unit
}

// launchEngine starts containers.
type launchEngine interface {
	inspector
	portHolder
	Start(ctx context.Context, id string) error
}

// start starts the container; nil means that it runs.
func (l *launcher) start(ctx context.Context, id string) *ending {
	if err := l.engine.Start(ctx, id); err != nil {
		return &ending{code: l.statusOf(ctx, id), err: l.explain(ctx, err)}
	}
	return nil
}

// statusOf returns the exit status for a container that could not be started.
// Its exit code says whether the command was to blame.
func (l *launcher) statusOf(ctx context.Context, id string) int {
	container, err := l.engine.Inspect(ctx, id)
	if err == nil && (container.ExitCode == exitNotInvoked || container.ExitCode == exitNotFound) {
		return container.ExitCode
	}
	return ExitNotRun
}

// explain adds what the host lacks to the Engine's error: the port that another
// program uses, or a device.
func (l *launcher) explain(ctx context.Context, err error) error {
	if errors.Is(err, engine.ErrUnreachable) {
		return err // it may hold a port until it has ended
	}
	if explained := explainEndpoint(err); explained != nil {
		return explained
	}
	if explained := l.explainPort(ctx, err); explained != nil {
		return explained
	}
	if l.unit.blocksDevices(ctx) {
		return fmt.Errorf("systemd does not let the container have its devices (remove PrivateDevices=, DevicePolicy=, DeviceAllow= and ProtectClock= from the unit): %w", err)
	}
	return explainNeeds(ctx, l.container, err)
}

// explainNeeds adds to the Engine's error what the host lacks: it names neither all that
// is missing nor what to do.
func explainNeeds(ctx context.Context, c *spec.Container, err error) error {
	if missing := needs.Check(ctx, c); missing != nil && c.Run == nil {
		return fmt.Errorf("%w: %w", missing, err)
	}
	return err
}

// adopt finds the first process of a container that was started, checks its
// place and writes its pid file.
func (l *launcher) adopt(ctx context.Context, c *running) error {
	if err := l.verifyPlace(ctx, c); err != nil {
		return err
	}
	return writePIDFile(l.container, c.process.id())
}

// verifyPlace opens the container's process, unless it has ended already, and
// checks that it was born in the unit's cgroup, where there is a unit.
func (l *launcher) verifyPlace(ctx context.Context, c *running) error {
	container, err := l.engine.Inspect(ctx, c.id)
	if err != nil {
		return err
	}
	c.stopSignal, c.health = stopSignal(container.StopSignal), container.Health
	if container.Pid == 0 {
		return nil
	}
	// Opened first and checked afterwards: if another process had the pid by now,
	// it would not be in the unit.
	p, err := openProcess(container.Pid)
	if err != nil {
		return nil //nolint:nilerr // it has ended in between: Docker reports its exit
	}
	c.process, c.gone = p, p.ended()
	if l.unit.cgroup == "" {
		return nil
	}
	holds, cgroup, err := l.unit.cgroups.Holds(l.unit.cgroup, container.Pid, l.unit.controllers...)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	if !holds && (cgroup != "/" || !isEnding(ctx, c.gone)) {
		return fmt.Errorf("container was born in cgroup %q and not below %q, so it was stopped (is the runtime right? run: dockhost setup --check)", cgroup, l.unit.cgroup)
	}
	return nil
}

// isEnding says whether a process in the root cgroup is about to end: on cgroup
// v1 the kernel moves it there a moment before its end.
func isEnding(ctx context.Context, gone <-chan struct{}) bool {
	timer := time.NewTimer(endingFor)
	defer timer.Stop()
	select {
	case <-gone:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}
