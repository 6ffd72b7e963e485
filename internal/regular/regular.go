// Package regular reads files that a container, a user or another program may have put
// in place: a regular file alone, up to a size, without waiting for a writer. It imports
// the standard library only, since dockhost-runtime uses it.
package regular

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// Limits of files by what they contain.
const (
	// Small is for files of some lines.
	Small = 64 << 10
	// Config is for configurations that people write.
	Config = 1 << 20
	// State is for what dockhost and Docker write themselves.
	State = 64 << 20
)

// ErrNotRegular means that a path is not a regular file: a directory, a FIFO, a device, or
// a symbolic link where none is followed.
var ErrNotRegular = errors.New("not a regular file")

// ErrTooLarge means that a file is larger than it may be.
var ErrTooLarge = errors.New("larger than")

// Read returns the content of a file of at most limit bytes. It does not follow a
// symbolic link in the last part of path: use it where only programs write.
func Read(path string, limit int64) ([]byte, error) {
	return read(path, limit, syscall.O_NOFOLLOW)
}

// Follow is [Read] for files that people may replace by links, such as configurations.
func Follow(path string, limit int64) ([]byte, error) {
	return read(path, limit, 0)
}

func read(path string, limit int64, flags int) ([]byte, error) {
	file, err := open(path, flags)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	tooLarge := fmt.Errorf("%s is %w %d KiB", path, ErrTooLarge, limit>>10)
	// A file that is too large costs no memory. It may grow, and files of /proc say 0.
	if info, err := file.Stat(); err != nil || info.Size() > limit {
		return nil, cmp.Or(err, tooLarge)
	}
	raw, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) > limit {
		return nil, tooLarge
	}
	return raw, nil
}

// Open opens a regular file for reading, and follows links. The caller limits how much is
// read.
func Open(path string) (*os.File, error) { return open(path, 0) }

func open(path string, flags int) (*os.File, error) {
	// Without O_NONBLOCK a FIFO would block until it has a writer.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY|flags, 0)
	switch {
	case errors.Is(err, syscall.ELOOP) && flags&syscall.O_NOFOLLOW != 0, errors.Is(err, syscall.ENXIO): // a link; a socket
		return nil, fmt.Errorf("%s is %w", path, ErrNotRegular)
	case err != nil:
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is %w", path, ErrNotRegular)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}
