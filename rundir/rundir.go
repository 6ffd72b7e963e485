// Package rundir is the files under /run/dockhost by which the agent and the
// supervisors meet, and nothing else: the agent writes what each container is,
// a supervisor writes how it fares. Every file is written atomically and is
// root's alone.
package rundir

import (
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

// Path is where the directory lies on a host.
const Path = "/run/dockhost"

// Dir is the directory, at Path on a host and elsewhere in a test.
type Dir string

// LoginsDir is a directory with a Docker config.json that holds the registry
// logins of the assignment.
func (d Dir) LoginsDir() string { return filepath.Join(string(d), "logins") }

// RuntimeDir is where placements lie.
func (d Dir) RuntimeDir() string { return filepath.Join(string(d), "runtime") }

// StateDir is where supervisors say how their containers fare.
func (d Dir) StateDir() string { return filepath.Join(string(d), "state") }

// Socket is the agent's local API.
func (d Dir) Socket() string { return filepath.Join(string(d), "agent.sock") }

// Fetched says whether user data was found in this boot.
func (d Dir) Fetched() bool {
	_, err := os.Stat(d.fetched())
	return err == nil
}

// SetFetched notes that user data was found in this boot.
func (d Dir) SetFetched() error {
	if d.Fetched() {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o750); err != nil {
		return fmt.Errorf("note that user data was found: %w", err)
	}
	if err := os.WriteFile(d.fetched(), nil, 0o600); err != nil {
		return fmt.Errorf("note that user data was found: %w", err)
	}
	return nil
}

func (d Dir) fetched() string { return filepath.Join(string(d), "fetched") }

// WriteContainer tells the supervisor of a container what it is.
func (d Dir) WriteContainer(c *spec.Container) error {
	return write(d.container(c.Name), c)
}

// Container returns what an assigned container is. The error is
// [fs.ErrNotExist] when none of that name is assigned.
func (d Dir) Container(name string) (*spec.Container, error) {
	c, err := ReadDeclaration(d.container(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no container %q is assigned to this host (see: dockhostctl status): %w", name, fs.ErrNotExist)
	}
	return c, err
}

// ReadDeclaration returns the container that the file at path declares.
func ReadDeclaration(path string) (*spec.Container, error) {
	var c spec.Container
	if err := read(path, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// RemoveContainer forgets a container and its state.
func (d Dir) RemoveContainer(name string) error {
	return errors.Join(remove(d.container(name)), remove(d.state(name)))
}

// Containers lists the names of the containers that supervisors were told of.
func (d Dir) Containers() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(string(d), "containers"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list assigned containers: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if name, found := strings.CutSuffix(entry.Name(), ".json"); found && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	return names, nil
}

// State is how a container fares, as its supervisor has it.
type State struct {
	// Phase is the supervisor's state: waiting, pulling, creating, starting,
	// unready, running, stopping or ended.
	Phase string `json:"phase"`
	// Since is when the phase began.
	Since time.Time `json:"since"`
	// Ready says whether the container is ready as its notify mode has it.
	Ready bool `json:"ready"`
	// Restart is the assigned container's restart: "" and "always" mean that
	// it is never done.
	Restart string `json:"restart,omitempty"`
	// ConfigHash is the [spec.Container.Hash] of what the supervisor runs.
	ConfigHash string `json:"config_hash"`
	// ContainerID is "" before the container is made.
	ContainerID string `json:"container_id,omitempty"`
	// Image is the reference, Digest the registry's digest of what runs.
	Image  string `json:"image"`
	Digest string `json:"digest,omitempty"`
	// Cached says that the registry could not be asked, so that the image
	// that the host had was taken.
	Cached bool `json:"cached,omitempty"`
	// GPU is which of its GPUs the container has lost, and why; "" is none.
	GPU string `json:"gpu,omitempty"`
	// LastError is what went wrong last, also in an earlier run; nil once the
	// container has become ready, but for why its image is a cached one.
	LastError *Failure `json:"last_error,omitempty"`
}

// Finished says that the container did its work: it ended, without an error,
// and is not to be started again for that.
func (s State) Finished() bool {
	return s.Phase == "ended" && s.LastError == nil && (s.Restart == "no" || s.Restart == "on-failure")
}

// Failure is something that went wrong.
type Failure struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
	// ConfigHash is the [spec.Container.Hash] of what it went wrong with.
	ConfigHash string `json:"config_hash,omitempty"`
}

// WriteState says how a container fares.
func (d Dir) WriteState(name string, s State) error {
	return write(d.state(name), s)
}

// State returns how a container fares. The error is [fs.ErrNotExist] when no
// supervisor of that name has run since boot.
func (d Dir) State(name string) (State, error) {
	var s State
	err := read(d.state(name), &s)
	return s, err
}

func (d Dir) container(name string) string {
	return filepath.Join(string(d), "containers", name+".json")
}

func (d Dir) state(name string) string {
	return filepath.Join(string(d), "state", name+".json")
}

func write(path string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := atomicfile.Write(path, raw, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func read(path string, value any) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, value); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
