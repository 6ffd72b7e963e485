package engine

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/docker/docker/api"
)

// About says which program answers at Docker's socket, and how it is configured. It
// has what a person who looks for a fault needs, and [Info] does not have.
type About struct {
	// Podman says that Podman answers instead of Docker.
	Podman bool
	// Version is the program's version.
	Version string
	// API is the newest version of the API that the program speaks, MinAPI the oldest.
	// ClientMaxAPI is the newest that this client speaks.
	API, MinAPI, ClientMaxAPI string
}

// About asks the Engine who it is.
func (c *Client) About(ctx context.Context) (About, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := c.api().ServerVersion(ctx)
	if err != nil {
		return About{}, fmt.Errorf("ask Docker for its version: %w", translate(err))
	}
	return About{
		Podman: isPodman(version), Version: version.Version,
		API: version.APIVersion, MinAPI: version.MinAPIVersion, ClientMaxAPI: api.DefaultVersion,
	}, nil
}

// InfoJSON returns everything that the Engine says about itself, as JSON. It may
// contain secrets, such as the password of a proxy.
func (c *Client) InfoJSON(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := c.api().Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask Docker for its configuration: %w", translate(err))
	}
	return json.Marshal(info)
}

// InspectJSON returns everything that the Engine says about a container, as JSON. It
// contains secrets, such as the container's environment.
func (c *Client) InspectJSON(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, raw, err := c.api().ContainerInspectWithRaw(ctx, id, false)
	if err != nil {
		return nil, fmt.Errorf("inspect container %q: %w", id, translate(err))
	}
	return raw, nil
}
