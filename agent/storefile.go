package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/internal/regular"
)

// storePath is where the accepted assignment is kept across reboots. It contains
// secrets, so only root may read it.
const storePath = "/var/lib/dockhost/assignment.json"

// storeFile keeps the accepted assignment on the disk, with the identity of the
// machine.
type storeFile struct {
	root string
}

// load returns what was saved, nil when nothing was. A file that cannot be read is
// an error; the agent then starts without it, and replaces it.
func (f storeFile) load() (*accepted, error) {
	raw, err := regular.Read(f.path(), regular.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // that nothing was saved is not an error
	}
	if err != nil {
		return nil, fmt.Errorf("read the last known good assignment: %w", err)
	}
	f.sweep()
	var saved accepted
	if err := json.Unmarshal(raw, &saved); err != nil {
		return nil, fmt.Errorf("read the last known good assignment: %s is damaged", f.path())
	}
	return &saved, nil
}

// sweep removes the temporary files of an agent that was killed while it wrote.
func (f storeFile) sweep() {
	leftovers, _ := filepath.Glob(filepath.Join(filepath.Dir(f.path()), "."+filepath.Base(f.path())+"*"))
	for _, path := range leftovers {
		_ = os.Remove(path)
	}
}

// save writes the assignment atomically, and syncs it, so that it survives a power
// cut. An unchanged file is not written: the sync would slow down each boot. On a full
// disk, an assignment that became smaller gets the reserve: containers are removed to
// make room.
func (f storeFile) save(a *accepted) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("save the assignment: %w", err)
	}
	saved, err := regular.Read(f.path(), regular.State)
	if err == nil && bytes.Equal(saved, raw) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(f.path()), 0o700); err != nil {
		return fmt.Errorf("save the assignment: %w", err)
	}
	err = atomicfile.Write(f.path(), raw, 0o600)
	if errors.Is(err, unix.ENOSPC) && len(raw) < len(saved) && os.Remove(f.reservePath()) == nil {
		err = atomicfile.Write(f.path(), raw, 0o600)
	}
	if errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("save the assignment: %w (make room in %s; to see what uses the space, run: du -xh --max-depth=2 /var)", err, filepath.Dir(storePath))
	}
	if err != nil {
		return fmt.Errorf("save the assignment: %w", err)
	}
	f.reserve()
	return nil
}

// drop removes the file.
func (f storeFile) drop() error {
	if err := os.Remove(f.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop the last known good assignment: %w", err)
	}
	return nil
}

// machineID returns the host's /etc/machine-id, "" on an image that was never
// booted.
func (f storeFile) machineID() string {
	raw, err := os.ReadFile(filepath.Join(f.root, "/etc/machine-id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// productUUID returns the DMI product UUID, "" on a machine without one.
func (f storeFile) productUUID() string {
	raw, err := os.ReadFile(filepath.Join(f.root, "/sys/class/dmi/id/product_uuid"))
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(string(raw)))
}

func (f storeFile) path() string { return filepath.Join(f.root, storePath) }
