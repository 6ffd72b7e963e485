package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// lockPause is the time between two tries to get the lock.
const lockPause = 50 * time.Millisecond

// lock has another setup wait, so that none overwrites what the other one wrote. It
// locks a directory that every host has; a file would have to be created.
func (s *Setup) lock(ctx context.Context) (unlock func(), err error) {
	dir, err := os.Open(filepath.Dir(filepath.Dir(s.configPath())))
	if err != nil {
		return nil, fmt.Errorf("lock Docker's configuration: %w", err)
	}
	ticker := time.NewTicker(lockPause)
	defer ticker.Stop()
	for unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			_ = dir.Close()
			return nil, fmt.Errorf("wait for another dockhost setup: %w", context.Cause(ctx))
		}
	}
	return func() { _ = dir.Close() }, nil
}
