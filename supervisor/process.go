package supervisor

import (
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// process is a container's first process. By its pidfd its end is known at
// once, whatever Docker does, and no other process is ever taken for it. A nil
// process has ended before anyone could look.
type process struct {
	pid int
	// file is the pidfd; nil where the kernel has none (before Linux 5.3) or a
	// filter forbids them. Then Docker alone tells of the end.
	file *os.File
	// gone is closed when the process has ended; nil without a pidfd.
	gone chan struct{}
}

// openProcess returns the process that has the pid now: the caller looks
// afterwards whether it is the one that he meant. The error is
// [os.ErrProcessDone] when there is none.
func openProcess(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
		return nil, os.ErrProcessDone
	case err != nil:
		return &process{pid: pid}, nil //nolint:nilerr // the pid alone has to do
	}
	// Only what does not block is left to Go's poller, which sleeps on all of
	// them at once. PIDFD_NONBLOCK would ask for Linux 5.10.
	if err := unix.SetNonblock(fd, true); err != nil {
		_ = unix.Close(fd)
		return &process{pid: pid}, nil //nolint:nilerr // as without pidfds
	}
	p := &process{pid: pid, file: os.NewFile(uintptr(fd), "pidfd"), gone: make(chan struct{})}
	conn, err := p.file.SyscallConn()
	if err != nil {
		return nil, err
	}
	go func() {
		if conn.Read(readable) == nil {
			close(p.gone)
		}
	}()
	return p, nil
}

// readable says whether a read would not block; of a pidfd, whether the
// process has ended (pidfd_open(2)).
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) //nolint:gosec // a descriptor is an int
	return err == nil && n > 0
}

// ended is closed when the process has ended; nil where nothing tells.
func (p *process) ended() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.gone
}

// alive says whether the process is there. Without a pidfd another one may
// have its pid.
func (p *process) alive() bool {
	switch {
	case p == nil:
		return false
	case p.file == nil:
		return unix.Kill(p.pid, 0) == nil
	}
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// id is the process's pid, 0 when it has ended before anyone could look.
func (p *process) id() int {
	if p == nil {
		return 0
	}
	return p.pid
}

// endsWithin waits for the end of a process with a pidfd, for ever when limit
// is negative, and says whether it came.
func (p *process) endsWithin(limit time.Duration) bool {
	var timeout <-chan time.Time
	if limit >= 0 {
		timer := time.NewTimer(limit)
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case <-p.gone:
		return true
	case <-timeout:
		return false
	}
}

// signal sends the process a signal. The error is [os.ErrProcessDone] when it
// has ended, and [errors.ErrUnsupported] where it cannot be told from others.
func (p *process) signal(sig unix.Signal) error {
	if p == nil {
		return os.ErrProcessDone
	}
	if p.file == nil {
		return errors.ErrUnsupported
	}
	conn, err := p.file.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	if err := conn.Control(func(fd uintptr) { sent = unix.PidfdSendSignal(int(fd), sig, nil, 0) }); err != nil {
		return err
	}
	if errors.Is(sent, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return sent
}

// close gives the pidfd back; nobody learns of the end any more.
func (p *process) close() {
	if p != nil && p.file != nil {
		_ = p.file.Close()
	}
}

// The real-time signals as the C library has them, and with it Docker.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// stopSignal is the signal that a container's configuration names as Docker
// understands it: "SIGQUIT", "quit", "3" or "SIGRTMIN+3". What Docker would
// not understand it refuses to make a container with; here it is SIGTERM, as
// is "".
func stopSignal(name string) unix.Signal {
	name = strings.TrimPrefix(strings.ToUpper(name), "SIG")
	if n, err := strconv.Atoi(name); err == nil && n > 0 && n <= sigRTMax {
		return unix.Signal(n)
	}
	for base, first := range map[string]int{"RTMIN": sigRTMin, "RTMAX": sigRTMax} {
		offset, found := strings.CutPrefix(name, base)
		n, err := strconv.Atoi(offset)
		if found && (offset == "" || err == nil && first+n >= sigRTMin && first+n <= sigRTMax) {
			return unix.Signal(first + n)
		}
	}
	if sig := unix.SignalNum("SIG" + name); sig != 0 {
		return sig
	}
	return unix.SIGTERM
}
