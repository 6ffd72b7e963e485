package supervisor

import (
	"context"
	"errors"
	"fmt"

	"github.com/dockhost/dockhost/engine"
)

// portHolder finds the container that publishes a port.
type portHolder interface {
	Publisher(ctx context.Context, port engine.Port) (string, error)
}

// explainPort returns why a port of the container is taken, and what to do; nil if the
// error of its start is not about a port.
func (l *launcher) explainPort(ctx context.Context, err error) error {
	var allocated engine.AllocatedError
	byDocker := errors.As(err, &allocated)
	for _, port := range engine.HostPorts(l.container.HostConfig.PortBindings) {
		if byDocker && port.Number != allocated.Number || !byDocker && !port.InUse(ctx) {
			continue
		}
		holder, askErr := l.engine.Publisher(ctx, port)
		switch {
		case askErr == nil && holder != "":
			return fmt.Errorf("port %s is already in use on this host, by the container %q (stop that one, or use another port): %w", port, holder, err)
		case askErr == nil && byDocker:
			// A dockerd that is killed while it starts a container forgets the container
			// at its next start, but not always the port (moby 20.10 to 26.1).
			return fmt.Errorf("port %s is already in use on this host: Docker keeps it for a container that does not exist any more (run: systemctl restart docker): %w", port, err)
		}
		return fmt.Errorf("port %s is already in use on this host (see: ss -lnp 'sport = :%d'): %w", port, port.Number, err)
	}
	return nil
}
