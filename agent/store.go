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
	"time"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/spec"
)

// storePath is where the accepted assignment is kept across reboots. It holds
// secrets: it is root's alone.
const storePath = "/var/lib/dockhost/assignment.json"

// accepted is what is in force, and for which machine.
type accepted struct {
	// InstanceID is the instance's that the user data was for.
	InstanceID string `json:"instance_id"`
	// MachineID is the host's /etc/machine-id, which tells a clone from its
	// original also when there is no user data to tell it.
	MachineID string `json:"machine_id"`
	// ProductUUID is the machine's own (DMI), which tells a clone from its
	// original where both have one machine-id; "" where there is none.
	ProductUUID string `json:"product_uuid,omitempty"`
	Datasource  string `json:"datasource"`
	// At is when the user data was accepted that is in UserData.
	At time.Time `json:"at"`
	// Assignment is what is in force, of all that is asked for below.
	Assignment spec.Assignment `json:"assignment"`

	// UserData is what the user data assigned last, Files what each file of
	// /etc/dockhost/containers declared last, by its name, and Local what
	// dockhostctl run declared, sorted by name. A change is here at once, and in
	// Assignment when it is in force.
	UserData spec.Assignment            `json:"user_data"`
	Files    map[string]spec.Assignment `json:"files,omitempty"`
	Local    []spec.Container           `json:"local,omitempty"`
}

// container returns the container of that name, nil when there is none.
func (k *accepted) container(name string) *spec.Container {
	if k == nil {
		return nil
	}
	for i := range k.Assignment.Containers {
		if k.Assignment.Containers[i].Name == name {
			return &k.Assignment.Containers[i]
		}
	}
	return nil
}

// store keeps the accepted assignment.
type store struct {
	root string
}

// load returns what is kept, nil when nothing is. What cannot be read is
// dropped: the error says so, and a new one will be accepted.
func (s store) load() (*accepted, error) {
	raw, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // nothing kept is a fact, not an error
	}
	if err != nil {
		return nil, fmt.Errorf("read the last known good assignment: %w", err)
	}
	s.sweep()
	var kept accepted
	if err := json.Unmarshal(raw, &kept); err != nil {
		return nil, fmt.Errorf("read the last known good assignment: %s is damaged", s.path())
	}
	return &kept, nil
}

// sweep removes what an agent that was killed while it wrote has left.
func (s store) sweep() {
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(s.path()), "."+filepath.Base(s.path())+"*"))
	for _, path := range left {
		_ = os.Remove(path)
	}
}

// save keeps an assignment, atomically and through a power cut. What is kept
// already is not written again: that takes a disk its time at each boot.
func (s store) save(a *accepted) error {
	raw, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("keep the assignment: %w", err)
	}
	if kept, err := os.ReadFile(s.path()); err == nil && bytes.Equal(kept, raw) {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(s.path()), 0o700); err != nil {
		return fmt.Errorf("keep the assignment: %w", err)
	}
	if err := atomicfile.Write(s.path(), raw, 0o600); err != nil {
		return fmt.Errorf("keep the assignment: %w", err)
	}
	return nil
}

// drop forgets what is kept.
func (s store) drop() error {
	if err := os.Remove(s.path()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop the last known good assignment: %w", err)
	}
	return nil
}

// machineID is the host's, "" on an image that was never booted.
func (s store) machineID() string {
	raw, err := os.ReadFile(filepath.Join(s.root, "/etc/machine-id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

// productUUID is the machine's (DMI), "" where it has none.
func (s store) productUUID() string {
	raw, err := os.ReadFile(filepath.Join(s.root, "/sys/class/dmi/id/product_uuid"))
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimSpace(string(raw)))
}

func (s store) path() string { return filepath.Join(s.root, storePath) }
