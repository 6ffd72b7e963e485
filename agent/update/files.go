package update

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/internal/regular"
)

// Dir is the directory of the records. They contain the secrets of declarations, so that
// only root may read them.
const Dir = "/var/lib/dockhost/updates"

// Files keeps the records on the disk, one file for each container.
type Files struct {
	// Root is a prefix of the host's paths, "" on a real host.
	Root string
}

// Load returns the record of a container, an empty one without a file. A damaged file
// is an error, and the record is empty then, too.
func (f Files) Load(name string) (Record, error) {
	var r Record
	raw, err := regular.Read(f.path(name), regular.State)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, fmt.Errorf("read the updates of %s: %w", name, err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		return Record{}, fmt.Errorf("read the updates of %s: %s is damaged, and begun again", name, f.path(name))
	}
	return r, nil
}

// Save writes the record of a container atomically, and syncs it.
func (f Files) Save(name string, r Record) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("save the updates of %s: %w", name, err)
	}
	if err := os.MkdirAll(filepath.Dir(f.path(name)), 0o700); err != nil {
		return fmt.Errorf("save the updates of %s: %w", name, err)
	}
	if err := atomicfile.Write(f.path(name), raw, 0o600); err != nil {
		return fmt.Errorf("save the updates of %s: %w", name, err)
	}
	return nil
}

const (
	// keptFor is how long the record of a container is kept once the container is not
	// assigned any more, maxUnassigned how many of them are.
	keptFor       = 30 * 24 * time.Hour
	maxUnassigned = 100
)

// Expire removes old records of containers that are not assigned, and returns their names.
// The history of all others stays.
func (f Files) Expire(assigned map[string]bool, now time.Time) ([]string, error) {
	names, err := f.Names()
	if err != nil {
		return nil, err
	}
	changed := map[string]time.Time{}
	for _, name := range names {
		if info, err := os.Stat(f.path(name)); err == nil && !assigned[name] {
			changed[name] = info.ModTime()
		}
	}
	newest := slices.SortedFunc(maps.Keys(changed), func(a, b string) int { return changed[b].Compare(changed[a]) })
	var expired []string
	var errs []error
	for i, name := range newest {
		if i < maxUnassigned && now.Sub(changed[name]) < keptFor {
			continue
		}
		if err := os.Remove(f.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove the updates of %s: %w", name, err))
			continue
		}
		expired = append(expired, name)
	}
	return expired, errors.Join(errs...)
}

// Names returns the names of the containers with a record. It removes what a killed
// agent has not finished.
func (f Files) Names() ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(f.Root, Dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the updates: %w", err)
	}
	var names []string
	for _, entry := range entries {
		name, isRecord := strings.CutSuffix(entry.Name(), ".json")
		switch {
		case strings.HasPrefix(entry.Name(), "."):
			_ = os.Remove(filepath.Join(f.Root, Dir, entry.Name()))
		case isRecord:
			names = append(names, name)
		}
	}
	return names, nil
}

func (f Files) path(name string) string { return filepath.Join(f.Root, Dir, name+".json") }
