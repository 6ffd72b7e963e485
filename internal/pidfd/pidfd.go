// Package pidfd follows processes that are not children: their end, and signals to them.
package pidfd

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Process is a process that is held by a pidfd: it never means another process that got the
// same pid later.
type Process struct {
	file *os.File
	gone chan struct{}
}

// Open opens the process that has a pid now. The caller then checks that it is the right
// one, and closes it. The error is [os.ErrProcessDone] if no process has the pid, and
// [errors.ErrUnsupported] where the kernel has no pidfds (before Linux 5.3) or a system
// call filter forbids them.
func Open(pid int) (*Process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
		return nil, os.ErrProcessDone
	case err != nil:
		return nil, unsupported(pid, err)
	}
	// Go's poller takes non-blocking descriptors only. PIDFD_NONBLOCK would need
	// Linux 5.10.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return nil, unsupported(pid, err)
	}
	p := &Process{file: os.NewFile(uintptr(fd), "pidfd"), gone: make(chan struct{})}
	conn, err := p.file.SyscallConn()
	if err != nil {
		p.Close()
		return nil, unsupported(pid, err)
	}
	go func() {
		if conn.Read(readable) == nil {
			close(p.gone)
		}
	}()
	return p, nil
}

func unsupported(pid int, err error) error {
	return fmt.Errorf("open a pidfd of process %d: %w: %w", pid, errors.ErrUnsupported, err)
}

// readable reports whether a descriptor is readable; a pidfd is once the process has ended
// (pidfd_open(2)).
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) //nolint:gosec // a descriptor is an int
	return err == nil && n > 0
}

// Ended returns a channel that is closed when the process has ended, unless it was closed
// before.
func (p *Process) Ended() <-chan struct{} { return p.gone }

// Alive reports whether the process runs, as the kernel knows it now: a process may have
// ended although nobody has received from [Process.Ended] yet. A closed one does not.
func (p *Process) Alive() bool {
	ended := false
	err := p.control(func(fd uintptr) { ended = readable(fd) })
	return err == nil && !ended
}

// Signal sends the process a signal. The error is [os.ErrProcessDone] when it has ended.
func (p *Process) Signal(sig unix.Signal) error {
	var sent error
	if err := p.control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return sent
}

func (p *Process) control(f func(fd uintptr)) error {
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	return conn.Control(f)
}

// Close lets go of the process; [Process.Ended] then never reports the end.
func (p *Process) Close() { _ = p.file.Close() }
