package supervisor

import (
	"context"
	"fmt"

	"github.com/dockhost/dockhost/engine"
)

// verifyPlace proves that the container was born in the unit's cgroup, where
// there is a unit, and returns its pid; 0 when it has ended already.
func (s *Supervisor) verifyPlace(ctx context.Context, id string) (int, error) {
	found, err := s.Engine.Inspect(ctx, id)
	if err != nil {
		return 0, err
	}
	if found.Pid == 0 {
		return 0, nil
	}
	if s.cgroup == "" {
		return found.Pid, nil
	}
	held, at, err := s.Cgroups.Holds(s.cgroup, found.Pid)
	if err != nil {
		// The process ended in between: its exit is on the way.
		return 0, nil //nolint:nilerr // see above
	}
	if !held {
		return 0, fmt.Errorf("container was born in cgroup %q and not below %q, so it was stopped (is the runtime right? run: dockhost setup --check)", at, s.cgroup)
	}
	return found.Pid, nil
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
