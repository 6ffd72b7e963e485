package engine

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/docker/docker/api/types/network"
)

// StaleEndpointError says that the Engine keeps the endpoint of an earlier container of
// the same name in a network. It cannot remove one while its disk is full (moby 20.10 to
// 29), and forgets it only when it starts.
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

// orphan begins the key of an endpoint without a container in the Engine's answer.
const orphan = "ep-"

// RemoveEndpoint removes the endpoint of a container that does not exist any more from a
// network. The error is [ErrConflict] if the endpoint belongs to a container, and
// [ErrNotFound] if the network has no such endpoint.
func (c *Client) RemoveEndpoint(ctx context.Context, networkName, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.NetworkInspect(ctx, networkName, network.InspectOptions{})
	if err != nil {
		return fmt.Errorf("inspect network %q: %w", networkName, translate(err))
	}
	err = fmt.Errorf("network %q has no endpoint %q: %w", networkName, name, ErrNotFound)
	for key, endpoint := range found.Containers {
		switch {
		case endpoint.Name != name:
		case !strings.HasPrefix(key, orphan):
			return fmt.Errorf("the endpoint %q in network %q belongs to container %s: %w", name, networkName, key, ErrConflict)
		default:
			err = nil
		}
	}
	if err != nil {
		return err
	}
	// Without a container of this name, the Engine takes it for the endpoint's.
	if err := c.api.NetworkDisconnect(ctx, networkName, name, true); err != nil {
		return fmt.Errorf("remove the endpoint %q from network %q: %w", name, networkName, translate(err))
	}
	return nil
}
