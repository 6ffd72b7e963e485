package engine

import (
	"context"
	"fmt"

	"github.com/docker/docker/api/types"
)

// PodmanError means that Podman answers instead of Docker Engine. No runtime can be
// registered with it, and it does not leave a container in the cgroup of its unit.
type PodmanError struct {
	// Version is Podman's version, Host the address at which it answers.
	Version, Host string
}

func (e *PodmanError) Error() string {
	return fmt.Sprintf("Podman %s answers at %s, and dockhost needs Docker Engine (install it; remove the package podman-docker, or correct DOCKER_HOST)", e.Version, e.Host)
}

// NotDocker says that the program at Docker's socket is not Docker Engine, so that a start
// of Docker Engine is no cure.
func (e *PodmanError) NotDocker() bool { return true }

// checkDocker returns a [PodmanError] if Podman answers at the Engine's address. A program
// that does not say what it is counts as Docker.
func (c *Client) checkDocker(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	version, err := c.api().ServerVersion(ctx)
	if err != nil || !isPodman(version) {
		return nil
	}
	return &PodmanError{Version: version.Version, Host: c.Host()}
}

// isPodman says whether a version is Podman's: its API names Podman's components.
func isPodman(version types.Version) bool {
	for _, component := range version.Components {
		if component.Name == "Podman Engine" {
			return true
		}
	}
	return false
}
