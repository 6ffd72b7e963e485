package supervisor

import (
	"context"
	"fmt"
	"time"

	"github.com/dockhost/dockhost/engine"
)

// verifyPlace finds the container's process, unless it has ended already, and
// proves that it was born in the unit's cgroup, where there is a unit.
func (s *Supervisor) verifyPlace(ctx context.Context, c *running) error {
	found, err := s.Engine.Inspect(ctx, c.id)
	if err != nil {
		return err
	}
	c.stopSignal = stopSignal(found.StopSignal)
	if found.Pid == 0 {
		return nil
	}
	// Opened first and looked at afterwards: were the pid another's by now, it
	// would not lie in the unit.
	p, err := openProcess(found.Pid)
	if err != nil {
		return nil //nolint:nilerr // it has ended in between: its exit is on the way
	}
	c.process, c.gone = p, p.ended()
	if s.cgroup == "" {
		return nil
	}
	held, at, err := s.Cgroups.Holds(s.cgroup, found.Pid, s.controllers...)
	if err != nil {
		return nil //nolint:nilerr // as above
	}
	if !held && (at != "/" || !isEnding(ctx, c.gone)) {
		return fmt.Errorf("container was born in cgroup %q and not below %q, so it was stopped (is the runtime right? run: dockhost setup --check)", at, s.cgroup)
	}
	return nil
}

// endingFor bounds how long a process may take from the cgroup to its end.
const endingFor = time.Second

// isEnding says whether a process in the root cgroup is only about to end: on
// cgroup v1 the kernel takes it there a moment before.
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

// The exit statuses of docker run for a command that could not be run.
const (
	exitNotInvoked = 126
	exitNotFound   = 127
)

// notStarted is the exit status when the Engine could not start the container.
// It says by the container's exit code whether the command was to blame.
func (s *Supervisor) notStarted(ctx context.Context, id string) int {
	found, err := s.Engine.Inspect(ctx, id)
	if err == nil && (found.ExitCode == exitNotInvoked || found.ExitCode == exitNotFound) {
		return found.ExitCode
	}
	return ExitNotRun
}

// explainStart adds, to the Engine's refusal to start, the port that another
// program has.
func (s *Supervisor) explainStart(ctx context.Context, err error) error {
	for _, port := range engine.HostPorts(s.spec.HostConfig.PortBindings) {
		if port.InUse(ctx) {
			return fmt.Errorf("port %s is already in use on this host (see: ss -lnp 'sport = :%d'): %w", port, port.Number, err)
		}
	}
	return err
}
