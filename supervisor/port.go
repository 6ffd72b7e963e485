package supervisor

import (
	"context"
	"errors"
	"fmt"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/cure"
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
		return l.explainHolder(ctx, port, byDocker, err)
	}
	return nil
}

// explainHolder adds to an error who has the port, and what to do. byDocker says that
// the error is Docker's own, and not the kernel's.
func (l *launcher) explainHolder(ctx context.Context, port engine.Port, byDocker bool, err error) error {
	holder, askErr := l.engine.Publisher(ctx, port)
	if askErr == nil && holder == "" && byDocker {
		// A dockerd that is killed while it starts a container forgets the container at its
		// next start, but not always the port (moby 20.10 to 26.1).
		err = fmt.Errorf("port %s is already in use on this host: Docker keeps it for a container that does not exist any more (run: systemctl restart docker): %w", port, err)
		return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "daemon"})
	}
	if askErr == nil && holder != "" {
		err = fmt.Errorf("port %s is already in use on this host, by the container %q (stop that one, or use another port): %w", port, holder, err)
	} else {
		err = fmt.Errorf("port %s is already in use on this host (stop what uses it: ss -lnp 'sport = :%d'): %w", port, port.Number, err)
	}
	return cure.By(err, cure.Cure{Kind: cure.Port, Name: port.String()})
}
