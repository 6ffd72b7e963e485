package supervisor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// makeRuntimeDir creates the directory of the placements if it is missing, and
// checks that this process can write to it: the unit's settings may forbid that.
func makeRuntimeDir(dir string) error {
	// tmpfiles.d creates the directory at boot, with its group.
	err := os.MkdirAll(dir, 0o770) //nolint:gosec // group docker may speak to Docker already
	if err == nil {
		err = unix.Access(dir, unix.W_OK|unix.X_OK)
	}
	var lines []string
	if errors.Is(err, syscall.EACCES) {
		lines = append(lines, "SupplementaryGroups=docker")
	}
	if errors.Is(err, syscall.EROFS) || err != nil && isReadOnly(dir) {
		lines = append(lines, "ReadWritePaths=/run/dockhost")
	}
	switch {
	case len(lines) > 0:
		return fmt.Errorf("this unit may not write to %s (write %s in its [Service] section): %w", dir, strings.Join(lines, " and "), err)
	case err != nil:
		return fmt.Errorf("prepare %s: %w", dir, err)
	}
	return nil
}

// isReadOnly says whether a directory is on a read-only mount, as with
// ProtectSystem=strict. If this user may not look at it, the one above tells.
func isReadOnly(dir string) bool {
	var fs unix.Statfs_t
	err := unix.Statfs(dir, &fs)
	for errors.Is(err, syscall.EACCES) && dir != "/" {
		dir = filepath.Dir(dir)
		err = unix.Statfs(dir, &fs)
	}
	return err == nil && fs.Flags&unix.ST_RDONLY != 0
}
