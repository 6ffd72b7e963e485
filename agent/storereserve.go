package agent

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// minReserve is the smallest reserve. Most assignments have some kilobytes.
const minReserve = 64 << 10

// reserve keeps disk space for an assignment that becomes smaller: twice its size, and
// one inode. Without room for it, it does nothing.
func (f storeFile) reserve() {
	saved, err := os.Stat(f.path())
	if err != nil {
		return
	}
	size := max(2*saved.Size(), minReserve)
	if kept, err := os.Stat(f.reservePath()); err == nil && kept.Size() >= size {
		return
	}
	file, err := os.OpenFile(f.reservePath(), os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return
	}
	defer file.Close()
	err = unix.Fallocate(int(file.Fd()), 0, 0, size)
	if err != nil && err != unix.ENOSPC { //nolint:errorlint // Fallocate returns an errno; NFS and others do not support it
		_, err = file.WriteAt(make([]byte, size), 0)
	}
	if err != nil {
		_ = os.Remove(f.reservePath())
	}
}

func (f storeFile) reservePath() string { return filepath.Join(filepath.Dir(f.path()), "reserve") }
