package beneath

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxLinks is how many symbolic links a path may lead through, as in the kernel
	// (MAXSYMLINKS).
	maxLinks = 40
	// maxTarget is the size of a link's target, in bytes (PATH_MAX).
	maxTarget = 4096
)

// errUntrusted means that a path leads through a link that a container may have made.
var errUntrusted = errors.New("leads through a symbolic link that a container may have made")

// walk is a way from the root down a path. It holds each directory open, so that "..", too,
// leads to where the walk came from.
type walk struct {
	// fds are the directories from the root on, and names those after the root. The last
	// of them may be any file.
	fds   []int
	names []string
	// rest is what is missing at the end of the path.
	rest  []string
	links int
}

// follow walks down name. It follows the links in directories that are trusted; nil trusts
// all. A path whose end is missing is no error.
func follow(root, name string, trusted func(dir string) bool) (*walk, error) {
	fd, err := unix.Open(cmp.Or(root, "/"), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	w := &walk{fds: []int{fd}}
	todo := split(name)
	for len(todo) > 0 {
		part := todo[0]
		todo = todo[1:]
		if part == ".." {
			w.leave()
			continue
		}
		err := w.enter(part)
		switch {
		case errors.Is(err, unix.ENOENT) && !slices.Contains(todo, ".."):
			w.rest = append([]string{part}, todo...)
			return w, nil
		case errors.Is(err, unix.ELOOP):
			if trusted != nil && !trusted(w.real()) {
				err = errUntrusted
				break
			}
			var target string
			if target, err = w.readLink(part); err != nil {
				break
			}
			if path.IsAbs(target) {
				w.leaveAll()
			}
			todo = append(split(target), todo...)
		}
		if err != nil {
			defer w.close()
			return nil, fmt.Errorf("%s: %w", path.Join(w.real(), part), err)
		}
	}
	return w, nil
}

// split returns the parts of a path.
func split(name string) []string {
	var parts []string
	for part := range strings.SplitSeq(name, "/") {
		if part != "" && part != "." {
			parts = append(parts, part)
		}
	}
	return parts
}

// enter opens a file in the directory. The error is ELOOP for a symbolic link.
func (w *walk) enter(part string) error {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	// O_DIRECTORY has the kernel mount what autofs mounts when it is used.
	fd, err := unix.Openat(w.top(), part, flags|unix.O_DIRECTORY, 0)
	if errors.Is(err, unix.ENOTDIR) {
		fd, err = unix.Openat(w.top(), part, flags, 0)
	}
	if err != nil {
		return err
	}
	var stat unix.Stat_t
	if err = unix.Fstat(fd, &stat); err == nil && stat.Mode&unix.S_IFMT == unix.S_IFLNK {
		err = unix.ELOOP
	}
	if err != nil {
		_ = unix.Close(fd)
		return err
	}
	w.fds, w.names = append(w.fds, fd), append(w.names, part)
	return nil
}

// readLink returns the target of a symbolic link in the directory.
func (w *walk) readLink(part string) (string, error) {
	if w.links++; w.links > maxLinks {
		return "", unix.ELOOP
	}
	buffer := make([]byte, maxTarget)
	n, err := unix.Readlinkat(w.top(), part, buffer)
	if err != nil {
		return "", err
	}
	return string(buffer[:n]), nil
}

// leave goes back to the parent. That of the root is the root.
func (w *walk) leave() {
	if len(w.names) == 0 {
		return
	}
	_ = unix.Close(w.top())
	w.fds, w.names = w.fds[:len(w.fds)-1], w.names[:len(w.names)-1]
}

// leaveAll goes back to the root.
func (w *walk) leaveAll() {
	for len(w.names) > 0 {
		w.leave()
	}
}

// top is the descriptor of where the walk is.
func (w *walk) top() int { return w.fds[len(w.fds)-1] }

// real is the path of where the walk is, with what is missing. No part of it that exists
// is a link.
func (w *walk) real() string {
	return path.Join("/"+strings.Join(w.names, "/"), strings.Join(w.rest, "/"))
}

// take returns the descriptor of where the walk is, which close then leaves open.
func (w *walk) take() int {
	fd := w.top()
	w.fds = w.fds[:len(w.fds)-1]
	return fd
}

func (w *walk) close() {
	for _, fd := range w.fds {
		_ = unix.Close(fd)
	}
}
