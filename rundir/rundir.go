// Package rundir reads and writes the files under /run/dockhost through which the
// agent and the supervisors communicate: the agent writes each container's
// declaration, and a supervisor writes its container's state. Every file is
// written atomically, and only root can read it.
package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
)

// Path is the directory on a host.
const Path = "/run/dockhost"

// Dir is the run directory: Path on a host, another one in a test.
type Dir string

// LoginsDir contains a Docker config.json with the registry logins of the
// assignment.
func (d Dir) LoginsDir() string { return filepath.Join(string(d), "logins") }

// RuntimeDir contains the placements (package placement).
func (d Dir) RuntimeDir() string { return filepath.Join(string(d), "runtime") }

// StateDir contains the states that supervisors write.
func (d Dir) StateDir() string { return filepath.Join(string(d), "state") }

// FilesDir contains the secrets and configs of a container, as files with the names
// 0, 1, 2. Only root can enter it.
func (d Dir) FilesDir(name string) string { return filepath.Join(string(d), "files", name) }

// RemoveFiles removes the secrets and configs of a container.
func (d Dir) RemoveFiles(name string) error { return os.RemoveAll(d.FilesDir(name)) }

// Socket is the socket of the agent's local API.
func (d Dir) Socket() string { return filepath.Join(string(d), "agent.sock") }

// Fetched says whether user data was found in this boot.
func (d Dir) Fetched() bool {
	_, err := os.Stat(d.fetched())
	return err == nil
}

// SetFetched records that user data was found in this boot.
func (d Dir) SetFetched() error {
	if d.Fetched() {
		return nil
	}
	if err := os.MkdirAll(string(d), 0o750); err != nil {
		return fmt.Errorf("record that user data was found: %w", err)
	}
	if err := os.WriteFile(d.fetched(), nil, 0o600); err != nil {
		return fmt.Errorf("record that user data was found: %w", err)
	}
	return nil
}

func (d Dir) fetched() string { return filepath.Join(string(d), "fetched") }

// WriteContainer writes a container's declaration for its supervisor.
func (d Dir) WriteContainer(c *spec.Container) error {
	return write(d.container(c.Name), c)
}

// Container returns the declaration of an assigned container. The error is
// [fs.ErrNotExist] when no container of that name is assigned.
func (d Dir) Container(name string) (*spec.Container, error) {
	c, err := ReadDeclaration(d.container(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no container %q is assigned to this host (see: dockhostctl status): %w", name, fs.ErrNotExist)
	}
	return c, err
}

// Declared returns when the declaration of an assigned container was written last.
func (d Dir) Declared(name string) (time.Time, error) {
	file, err := os.Stat(d.container(name))
	if err != nil {
		return time.Time{}, err
	}
	return file.ModTime(), nil
}

// ReadDeclaration returns the container that the file at path declares.
func ReadDeclaration(path string) (*spec.Container, error) {
	var c spec.Container
	if err := read(path, &c); err != nil {
		return nil, err
	}
	return &c, nil
}

// RemoveContainer removes a container's declaration, its state, and its secrets.
func (d Dir) RemoveContainer(name string) error {
	return errors.Join(remove(d.container(name)), remove(d.state(name)), d.RemoveFiles(name))
}

// Containers returns the names of the containers with a declaration.
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

// Names returns every name under which there is a declaration, a state, or secrets.
func (d Dir) Names() ([]string, error) {
	names, err := d.Containers()
	if err != nil {
		return nil, err
	}
	states, err := os.ReadDir(d.StateDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list states of containers: %w", err)
	}
	secrets, err := os.ReadDir(filepath.Dir(d.FilesDir("x")))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list secrets of containers: %w", err)
	}
	for _, entry := range states {
		if name, found := strings.CutSuffix(entry.Name(), ".json"); found && !strings.HasPrefix(name, ".") {
			names = append(names, name)
		}
	}
	for _, entry := range secrets {
		names = append(names, entry.Name())
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// abandoned is the age from which an unfinished file was left by a process that was
// killed: it takes milliseconds to write one.
const abandoned = time.Minute

// RemoveUnfinished removes the files that killed processes have not finished.
func (d Dir) RemoveUnfinished() error {
	var errs []error
	for _, dir := range []string{filepath.Dir(d.container("x")), d.StateDir(), d.LoginsDir()} {
		paths, err := filepath.Glob(filepath.Join(dir, ".*"))
		errs = append(errs, err)
		for _, path := range paths {
			info, err := os.Lstat(path)
			if err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > abandoned {
				errs = append(errs, remove(path))
			}
		}
	}
	return errors.Join(errs...)
}

// State is the state of a container, written by its supervisor.
type State struct {
	// Phase is the phase of the container's life: waiting, pulling, creating, starting,
	// unready, running, stopping or ended.
	Phase string `json:"phase"`
	// Since is when the phase began.
	Since time.Time `json:"since"`
	// Ready says whether the container is ready, by the rule of its notify mode.
	Ready bool `json:"ready"`
	// Restart is the container's restart policy: with "" and "always" it never
	// counts as finished.
	Restart string `json:"restart,omitempty"`
	// ConfigHash is the [spec.Container.Hash] of the declaration that runs.
	ConfigHash string `json:"config_hash"`
	// ContainerID is "" before the container is created.
	ContainerID string `json:"container_id,omitempty"`
	// Image is the reference, Digest the registry's digest of the image that runs.
	Image  string `json:"image"`
	Digest string `json:"digest,omitempty"`
	// ImageID is Docker's ID of it.
	ImageID string `json:"image_id,omitempty"`
	// Health is Docker's last word about the container's health check; "" without one.
	Health string `json:"health,omitempty"`
	// OOMKills is how many processes of the container the kernel has killed since its
	// start, because memory was used up. The container itself runs.
	OOMKills int64 `json:"oom_kills,omitempty"`
	// OOMKillsBefore is the same of the containers that ran in the unit before, since the
	// boot.
	OOMKillsBefore int64 `json:"oom_kills_before,omitempty"`
	// Cached says that the registry could not be asked, so that the container
	// uses the image that the host had.
	Cached bool `json:"cached,omitempty"`
	// Volumes are the volumes that dockhost named for the container, by the path at
	// which they are mounted.
	Volumes map[string]string `json:"volumes,omitempty"`
	// GPU says which GPU the container has lost, and why; "" if it has lost none.
	GPU string `json:"gpu,omitempty"`
	// LastError is the last error, also of an earlier run. It is nil once the
	// container is ready, except for the reason why its image is cached.
	LastError *Failure `json:"last_error,omitempty"`
	// NextTry is when the supervisor tries again what has failed, zero while it tries.
	NextTry time.Time `json:"next_try,omitzero"`
	// Phases are the phases of this start, in the order in which they began.
	Phases []PhaseStart `json:"phases,omitempty"`
	// Pull is the last pull of this start; nil without one.
	Pull *Pull `json:"pull,omitempty"`
	// StopRequested is when systemd asked the supervisor to stop; zero while it has not.
	StopRequested time.Time `json:"stop_requested,omitzero"`
}

// Finished says whether the container has done its work: it ended without an
// error, and its restart policy does not start it again.
func (s State) Finished() bool {
	return s.Phase == "ended" && s.LastError == nil && (s.Restart == "no" || s.Restart == "on-failure")
}

// EndedForGood says whether nothing but a person starts the container again: it
// has done its work, or it failed once it was created, and is never restarted.
func (s State) EndedForGood() bool {
	return s.Finished() || s.Phase == "ended" && s.Restart == "no" && s.ContainerID != ""
}

// Failure is an error and when it happened.
type Failure struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
	// ConfigHash is the [spec.Container.Hash] of the declaration that failed; ""
	// where the declaration is not to blame.
	ConfigHash string `json:"config_hash,omitempty"`
	// Cures are what may cure it.
	Cures []cure.Cure `json:"cures,omitempty"`
}

// WriteState writes the state of a container.
func (d Dir) WriteState(name string, s State) error {
	return write(d.state(name), s)
}

// State returns the state of a container. The error is [fs.ErrNotExist] when no
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
	if err := atomicfile.WriteChanged(path, raw, 0o600); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func read(path string, value any) error {
	open := regular.Read
	if strings.HasPrefix(path, "/proc/self/fd/") { // the memory that dockhost run passes on
		open = regular.Follow
	}
	raw, err := open(path, regular.State)
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
