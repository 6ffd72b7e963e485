package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types/network"
)

// StaleEndpointError says that the Engine keeps the endpoint of an earlier container of
// the same name in a network: it could not remove it, because its disk was full, or has
// missed the container's end, because it was starting (moby 20.10 to 29).
type StaleEndpointError struct {
	// Network and Name are the names of the network and of the endpoint, which is that
	// of its container.
	Network, Name string

	error
}

// Unwrap returns the Engine's error.
func (e StaleEndpointError) Unwrap() error { return e.error }

// endpointExists matches the Engine's error (moby: libnetwork), which has no kind of its
// own.
var endpointExists = regexp.MustCompile(`endpoint with name (\S+) already exists in network (\S+)`)

// stale returns the error as a [StaleEndpointError] if it is one.
func stale(err error) error {
	match := endpointExists.FindStringSubmatch(err.Error())
	if match == nil {
		return err
	}
	return StaleEndpointError{Network: match[2], Name: match[1], error: err}
}

// orphan begins the key of an endpoint without a container in the Engine's answer. The
// others' keys are the ids of their containers.
const orphan = "ep-"

// RemoveEndpoint removes the endpoint of a container that does not exist any more from a
// network. The error is [ErrConflict] if the container exists, and [ErrNotFound] if the
// network has no such endpoint.
func (c *Client) RemoveEndpoint(ctx context.Context, networkName, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api().NetworkInspect(ctx, networkName, network.InspectOptions{})
	if err != nil {
		return fmt.Errorf("inspect network %q: %w", networkName, translate(err))
	}
	for key, endpoint := range found.Containers {
		if endpoint.Name != name {
			continue
		}
		if err := c.isGone(ctx, key); err != nil {
			return fmt.Errorf("endpoint %q in network %q: %w", name, networkName, err)
		}
		// Without a container of this name, the Engine takes it for the endpoint's.
		if err := c.api().NetworkDisconnect(ctx, networkName, name, true); err != nil {
			return fmt.Errorf("remove the endpoint %q from network %q: %w", name, networkName, translate(err))
		}
		return nil
	}
	return fmt.Errorf("network %q has no endpoint %q: %w", networkName, name, ErrNotFound)
}

// isGone returns nil if an endpoint with this key has no container, or one that does not
// exist.
func (c *Client) isGone(ctx context.Context, key string) error {
	if strings.HasPrefix(key, orphan) {
		return nil
	}
	switch _, err := c.Inspect(ctx, key); {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("it belongs to container %s: %w", key, ErrConflict)
}
