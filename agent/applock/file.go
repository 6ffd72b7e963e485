// Package applock asks an application whether it may be stopped now: by a lock on a file
// (flock(2)), or by a command in its container. It only asks, and leaves waiting to its
// caller. With an error the answer is unknown; the caller then waits, too.
package applock

import (
	"errors"
	"fmt"
	"strconv"

	"golang.org/x/sys/unix"
)

// FileFree reports whether no process holds a lock on a file by flock(2), neither an
// exclusive nor a shared one. A missing file is free. FileFree never waits and never
// creates the file. It takes the lock itself for a moment.
//
// The file may be in a directory that a container writes to, so only a regular file is
// opened: the open of a device can have effects, and a symbolic link may lead anywhere.
func FileFree(path string) (bool, error) {
	free, err := fileFree(path)
	if err != nil {
		return false, fmt.Errorf("look at the lock of %q: %w", path, err)
	}
	return free, nil
}

func fileFree(path string) (bool, error) {
	// O_PATH opens nothing yet, whatever the file is.
	place, err := retry(func() (int, error) { return unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0) })
	if errors.Is(err, unix.ENOENT) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { _ = unix.Close(place) }()
	if err := regular(place); err != nil {
		return false, err
	}
	fd, err := retry(func() (int, error) {
		return unix.Open("/proc/self/fd/"+strconv.Itoa(place), unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return false, err
	}
	defer func() { _ = unix.Close(fd) }() // this ends the lock
	_, err = retry(func() (int, error) { return 0, unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}

// regular returns an error for anything but a regular file.
func regular(fd int) error {
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return err
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		return nil
	case unix.S_IFLNK:
		return errors.New("it is a symbolic link (name the file itself)")
	case unix.S_IFDIR:
		return errors.New("it is a directory (name a file in it)")
	}
	return errors.New("it is not a regular file")
}

// retry repeats a system call that a signal interrupted.
func retry(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
