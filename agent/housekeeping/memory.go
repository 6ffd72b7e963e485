package housekeeping

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/rundir"
)

// memoryPath is where the memory is kept across reboots.
const memoryPath = "/var/lib/dockhost/images.json"

// memoryVersion is that of the file: one of another version is begun anew.
const memoryVersion = 1

// maxMemory bounds what is read of it.
const maxMemory = 16 << 20

// memory is what is remembered of images. Without it nothing wrong is removed:
// whatever is there counts as having come just now, or when Docker's files say.
type memory struct {
	Version int `json:"version"`
	// Images is by ID.
	Images map[string]*record `json:"images"`
	// Ways is by the name of the container.
	Ways map[string]*way `json:"ways"`
}

// record is what is remembered of one image.
type record struct {
	// Seen is when it was seen first, Used when it was used last.
	Seen time.Time `json:"seen"`
	Used time.Time `json:"used,omitzero"`
	// Pulled are the references under which dockhost pulled it.
	Pulled []string `json:"pulled,omitempty"`
}

// way is the way back of a container: the image with which it was ready last,
// and the one before.
type way struct {
	// Container is the Docker container that was seen ready last.
	Container string `json:"container"`
	Good      string `json:"good"`
	Previous  string `json:"previous,omitempty"`
}

func newMemory() *memory {
	return &memory{Version: memoryVersion, Images: map[string]*record{}, Ways: map[string]*way{}}
}

// loadMemory reads what is kept below a root. It is never nil; the error says
// that something was, and cannot be read.
func loadMemory(root string) (*memory, error) {
	path := filepath.Join(root, memoryPath)
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"*"))
	for _, one := range left { // by an agent that was killed while it wrote
		_ = os.Remove(one)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newMemory(), nil
	}
	if err == nil && info.Size() > maxMemory {
		err = fmt.Errorf("%s is too large", path)
	}
	var raw []byte
	if err == nil {
		raw, err = os.ReadFile(path)
	}
	m := newMemory()
	if err == nil {
		err = json.Unmarshal(raw, m)
	}
	if err == nil && (m.Version != memoryVersion || m.Images == nil || m.Ways == nil || !m.whole()) {
		err = fmt.Errorf("%s is not of version %d", path, memoryVersion)
	}
	if err != nil {
		return newMemory(), fmt.Errorf("read the memory of images, which begins anew: %w", err)
	}
	return m, nil
}

// whole says whether nothing in it is null.
func (m *memory) whole() bool {
	for _, r := range m.Images {
		if r == nil {
			return false
		}
	}
	for _, w := range m.Ways {
		if w == nil {
			return false
		}
	}
	return true
}

func (m *memory) save(root string) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("keep the memory of images: %w", err)
	}
	path := filepath.Join(root, memoryPath)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("keep the memory of images: %w", err)
	}
	if err := atomicfile.Write(path, raw, 0o600); err != nil {
		return fmt.Errorf("keep the memory of images: %w", err)
	}
	return nil
}

// of returns the record of an image, made if there is none.
func (m *memory) of(id string, now time.Time) *record {
	r := m.Images[id]
	if r == nil {
		r = &record{Seen: now}
		m.Images[id] = r
	}
	if r.Seen.After(now) { // the clock was wrong then
		r.Seen = now
	}
	return r
}

// notePulled remembers what programs of dockhost pulled.
func (m *memory) notePulled(pulled []rundir.Claimed, now time.Time) (changed bool) {
	for _, claim := range pulled {
		r := m.of(claim.Pulled, now)
		if ref := normalize(claim.Ref); !slices.Contains(r.Pulled, ref) {
			r.Pulled = append(r.Pulled, ref)
			changed = true
		}
	}
	return changed
}

// noteReady remembers that a container is ready with an image.
func (m *memory) noteReady(name, container, image string) {
	w := m.Ways[name]
	if w == nil {
		w = &way{Good: image}
		m.Ways[name] = w
	}
	w.Container = container
	if w.Good != image {
		w.Good, w.Previous = image, w.Good
	}
}

// forget drops what is known of images that were gone when the list of them was
// begun, and of containers that are no longer assigned.
func (m *memory) forget(images map[string]bool, names []string, began time.Time) {
	maps.DeleteFunc(m.Images, func(id string, r *record) bool { return !images[id] && r.Seen.Before(began) })
	maps.DeleteFunc(m.Ways, func(name string, _ *way) bool { return !slices.Contains(names, name) })
}

// rollback has the containers whose way back an image is.
func (m *memory) rollback() map[string]string {
	back := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Ways)) {
		for _, id := range []string{m.Ways[name].Good, m.Ways[name].Previous} {
			if _, found := back[id]; !found && id != "" {
				back[id] = name
			}
		}
	}
	return back
}

// managed says whether dockhost pulled an image.
func (m *memory) managed(id string) bool { return m.Images[id] != nil && len(m.Images[id].Pulled) > 0 }
