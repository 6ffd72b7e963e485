package rundir

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dockhost/dockhost/internal/regular"
)

// CheckRunning returns an error if a file is missing or damaged that the supervisor
// of a running container has written: the state, the placement, or one of the
// container's secrets and configs.
func (d Dir) CheckRunning(name string, files int) error {
	state, err := d.State(name)
	if err != nil {
		return err
	}
	if state.Phase == "" {
		return fmt.Errorf("read %s: the phase is missing", d.state(name))
	}
	if state.ContainerID == "" || state.Phase == "ended" {
		return nil
	}
	raw, err := regular.Read(filepath.Join(d.RuntimeDir(), state.ContainerID+".json"), regular.State)
	if err != nil {
		return err
	}
	if !json.Valid(raw) {
		return fmt.Errorf("read the placement of %s: not JSON", state.ContainerID)
	}
	for i := range files {
		if _, err := os.Lstat(filepath.Join(d.FilesDir(name), strconv.Itoa(i))); err != nil {
			return err
		}
	}
	return nil
}
