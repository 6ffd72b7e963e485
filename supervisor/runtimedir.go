package supervisor

import (
	"errors"
	"fmt"
	"os"
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
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%s is read-only in this unit, because of ProtectSystem=strict, DynamicUser= or ReadOnlyPaths= (write ReadWritePaths=/run/dockhost in the unit's [Service] section)", dir)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("the user of this unit, with the id %d, cannot write to %s (write SupplementaryGroups=docker in the unit's [Service] section)", os.Getuid(), dir)
	case err != nil:
		return fmt.Errorf("prepare %s: %w", dir, err)
	}
	return nil
}
