// Package atomicfile replaces files whole: a reader, and a machine that loses
// power, sees the old content or the new one.
package atomicfile

import (
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"
)

// Write makes path hold data, with these permissions whatever the umask. The
// temporary file lies beside it and is synced before it takes its place.
func Write(path string, data []byte, perm os.FileMode) error {
	return renameio.WriteFile(path, data, perm, renameio.IgnoreUmask(), renameio.WithTempDir(filepath.Dir(path)))
}
