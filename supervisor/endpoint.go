package supervisor

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
)

// explainEndpoint returns why the endpoint of the container is taken; nil if the error of
// its start is not about an endpoint. [maker.freeEndpoint] cures it.
func explainEndpoint(err error) error {
	var stale engine.StaleEndpointError
	if !errors.As(err, &stale) {
		return nil
	}
	return fromOutside(fmt.Errorf("docker has kept the endpoint of an earlier container %q in network %q, which is removed before the next start if it has no container: %w",
		stale.Name, stale.Network, err))
}

// freeEndpoint removes the endpoint of an earlier container, if the start failed for it.
// Docker takes its name for that of a container as long as there is one, so the container
// is removed before, even one that is kept otherwise: it has never run.
func (m *maker) freeEndpoint(ctx context.Context, id string, failure error) {
	var stale engine.StaleEndpointError
	if !errors.As(failure, &stale) {
		return
	}
	err := m.remove(ctx, id)
	if err == nil {
		err = m.engine.RemoveEndpoint(ctx, stale.Network, stale.Name)
	}
	if err != nil {
		m.log.Warn("endpoint of an earlier container not removed (see: docker network inspect "+stale.Network+
			"; Docker removes it when it is restarted)", zap.Error(err))
	}
}
