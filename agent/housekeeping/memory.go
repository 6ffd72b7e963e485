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
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/rundir"
)

// memoryPath is where the memory is kept across reboots.
const memoryPath = "/var/lib/dockhost/images.json"

// memoryVersion is the version of the file. A file of another version is replaced.
const memoryVersion = 1

// maxMemory bounds the file.
const maxMemory = 16 << 20

// memory is what the keeper remembers about images. Without it too little is removed
// rather than too much: every image counts as arrived just now, or when Docker's files
// say.
type memory struct {
	Version int `json:"version"`
	// Images is by ID.
	Images map[string]*record `json:"images"`
	// Histories is by the name of the container.
	Histories map[string]*history `json:"ways"`
}

// record is about one image.
type record struct {
	// Seen is when it was seen first, Used when it was used last.
	Seen time.Time `json:"seen"`
	Used time.Time `json:"used,omitzero"`
	// Pulled are the references under which dockhost pulled it.
	Pulled []string `json:"pulled,omitempty"`
}

// history has the images that a container may be rolled back to: the one with which it
// was ready last, and the one before.
type history struct {
	// Container is the Docker container that was seen ready last.
	Container string `json:"container"`
	Good      string `json:"good"`
	Previous  string `json:"previous,omitempty"`
}

func newMemory() *memory {
	return &memory{Version: memoryVersion, Images: map[string]*record{}, Histories: map[string]*history{}}
}

// loadMemory reads the file below a root. The memory is never nil; an error means that
// there is a file that cannot be read.
func loadMemory(root string) (*memory, error) {
	path := filepath.Join(root, memoryPath)
	leftovers, _ := filepath.Glob(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+"*"))
	for _, leftover := range leftovers { // of an agent that was killed while it wrote
		_ = os.Remove(leftover)
	}
	raw, err := regular.Read(path, maxMemory)
	if errors.Is(err, fs.ErrNotExist) {
		return newMemory(), nil
	}
	m := newMemory()
	if err == nil {
		err = json.Unmarshal(raw, m)
	}
	if err == nil && (m.Version != memoryVersion || m.Images == nil || m.Histories == nil || !m.whole()) {
		err = fmt.Errorf("%s is not of version %d", path, memoryVersion)
	}
	if err != nil {
		return newMemory(), fmt.Errorf("read the memory of images, which starts empty: %w", err)
	}
	return m, nil
}

// whole reports whether nothing in the memory is null.
func (m *memory) whole() bool {
	for _, r := range m.Images {
		if r == nil {
			return false
		}
	}
	for _, h := range m.Histories {
		if h == nil {
			return false
		}
	}
	return true
}

func (m *memory) save(root string) error {
	raw, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("save the memory of images: %w", err)
	}
	path := filepath.Join(root, memoryPath)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("save the memory of images: %w", err)
	}
	if err := atomicfile.Write(path, raw, 0o600); err != nil {
		return fmt.Errorf("save the memory of images: %w", err)
	}
	return nil
}

// of returns the record of an image, and creates it if it is missing.
func (m *memory) of(id string, now time.Time) *record {
	r := m.Images[id]
	if r == nil {
		r = &record{Seen: now}
		m.Images[id] = r
	}
	if r.Seen.After(now) { // the clock was wrong at that time
		r.Seen = now
	}
	return r
}

// notePulled remembers what programs of dockhost pulled, and says whether any of it is
// new.
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
	h := m.Histories[name]
	if h == nil {
		h = &history{Good: image}
		m.Histories[name] = h
	}
	h.Container = container
	if h.Good != image {
		h.Good, h.Previous = image, h.Good
	}
}

// forget drops the records of images that are not in a list that was made since a time,
// and the histories of containers that are no longer assigned. An image that was seen
// since then may not be in the list yet.
func (m *memory) forget(images map[string]bool, names []string, since time.Time) {
	maps.DeleteFunc(m.Images, func(id string, r *record) bool { return !images[id] && r.Seen.Before(since) })
	maps.DeleteFunc(m.Histories, func(name string, _ *history) bool { return !slices.Contains(names, name) })
}

// rollback returns the container that may be rolled back to an image, by the image's
// ID.
func (m *memory) rollback() map[string]string {
	containers := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(m.Histories)) {
		for _, id := range []string{m.Histories[name].Good, m.Histories[name].Previous} {
			if _, known := containers[id]; !known && id != "" {
				containers[id] = name
			}
		}
	}
	return containers
}

// managed reports whether dockhost pulled an image.
func (m *memory) managed(id string) bool { return m.Images[id] != nil && len(m.Images[id].Pulled) > 0 }
