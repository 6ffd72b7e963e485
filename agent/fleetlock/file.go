package fleetlock

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/internal/regular"
)

// file keeps the slots of the host over restarts.
type file struct{ path string }

// record is a slot that the host may have.
type record struct {
	Lock
	Until map[string]time.Time `json:"until"`
}

// load returns what was saved, nil without a file.
func (f file) load() ([]record, error) {
	raw, err := regular.Read(f.path, regular.State)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var records []record
	if err := json.Unmarshal(raw, &records); err != nil {
		return nil, fmt.Errorf("%s is damaged", f.path)
	}
	return slices.DeleteFunc(records, func(r record) bool { return len(r.Until) == 0 }), nil
}

// save replaces the file if it has other slots. Without any it removes the file.
func (f file) save(records []record) error {
	if len(records) == 0 {
		if err := os.Remove(f.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	}
	slices.SortFunc(records, func(a, b record) int {
		return cmp.Or(cmp.Compare(a.BaseURL, b.BaseURL), cmp.Compare(a.Group, b.Group))
	})
	raw, err := json.Marshal(records)
	if err != nil {
		return err
	}
	if old, err := regular.Read(f.path, regular.State); err == nil && bytes.Equal(old, raw) {
		return nil
	}
	return atomicfile.Write(f.path, raw, 0o600)
}
