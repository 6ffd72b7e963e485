package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/spec"
)

// Left returns what the agent of this host has left on the disk about each container that
// is assigned: its name, image, unit and origin, and who has stopped it. Root is a prefix
// of the host's paths, "" on a real host. The error is [fs.ErrPermission] if the caller is
// not root. It changes nothing, and needs no agent.
func Left(root string) ([]api.Container, error) {
	file := storeFile{root: root}
	raw, err := os.ReadFile(file.path())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read what is assigned: %w", err)
	}
	var saved accepted
	if err := json.Unmarshal(raw, &saved); err != nil {
		return nil, fmt.Errorf("read what is assigned: %s is damaged", file.path())
	}
	if !saved.isOf(file) {
		return nil, nil // a clone does not run what its original does
	}
	saved.dropOldStops()
	var containers []api.Container
	for i := range saved.Assignment.Containers {
		c := &saved.Assignment.Containers[i]
		containers = append(containers, api.Container{
			Name: c.Name, Image: c.Image, Unit: spec.UnitName(c.Name), Origin: saved.origin(c.Name), Stopped: saved.stop(c.Name),
		})
	}
	return containers, nil
}
