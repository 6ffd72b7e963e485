package rundir

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// LockNetworks keeps other programs from creating and removing networks of
// containers: Docker 20.10 creates two networks of the same name if it is asked twice.
func (d Dir) LockNetworks(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(string(d), 0o750); err != nil {
		return nil, fmt.Errorf("lock networks: %w", err)
	}
	unlock, err = lockFile(ctx, filepath.Join(string(d), "networks.lock"), unix.LOCK_EX)
	if err != nil {
		return nil, fmt.Errorf("lock networks: %w", err)
	}
	return unlock, nil
}
