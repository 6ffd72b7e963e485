// Package atomicfile replaces files whole: a reader, and a machine that loses
// power, sees the old content or the new one.
package atomicfile

import (
	"bytes"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"github.com/dockhost/dockhost/internal/regular"
)

// Write makes path hold data, with these permissions whatever the umask. The
// temporary file lies beside it and is synced before it takes its place.
func Write(path string, data []byte, perm os.FileMode) error {
	return renameio.WriteFile(path, data, perm, renameio.IgnoreUmask(), renameio.WithTempDir(filepath.Dir(path)))
}

// WriteChanged is [Write], except that it leaves a file alone that already is so.
// Those who watch the file see no change then.
func WriteChanged(path string, data []byte, perm os.FileMode) error {
	if info, err := os.Lstat(path); err == nil && info.Mode() == perm && info.Size() == int64(len(data)) {
		if old, err := regular.Read(path, int64(len(data))); err == nil && bytes.Equal(old, data) {
			return nil
		}
	}
	return Write(path, data, perm)
}
