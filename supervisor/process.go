package supervisor

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// process is a container's first process. Its pidfd reports the end at once,
// whatever Docker does, and never means another process. A nil process ended
// before the supervisor could open it.
type process struct {
	pid int
	// file is the pidfd; nil where the kernel has no pidfds (before Linux 5.3) or a
	// system call filter forbids them. Then only Docker reports the end.
	file *os.File
	// gone is closed when the process has ended; nil without a pidfd.
	gone chan struct{}
}

// openProcess opens the process that has the pid now; the caller then checks
// that it is the right one. The error is [os.ErrProcessDone] when no process has
// the pid.
func openProcess(pid int) (*process, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL):
		return nil, os.ErrProcessDone
	case err != nil:
		return &process{pid: pid}, nil //nolint:nilerr // the pid alone must do
	}
	// Go's poller takes non-blocking descriptors only. PIDFD_NONBLOCK would need
	// Linux 5.10.
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

// readable says whether a descriptor is readable; a pidfd is once the process has
// ended (pidfd_open(2)).
func readable(fd uintptr) bool {
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0) //nolint:gosec // a descriptor is an int
	return err == nil && n > 0
}

// ended returns a channel that is closed when the process has ended; nil without
// a pidfd.
func (p *process) ended() <-chan struct{} {
	if p == nil {
		return nil
	}
	return p.gone
}

// alive says whether the process runs, as the kernel knows it now: a process may
// have ended although nobody has received from [process.ended] yet. Without a pidfd,
// another process may have its pid. A process that was closed counts as ended.
func (p *process) alive() bool {
	switch {
	case p == nil:
		return false
	case p.file == nil:
		return unix.Kill(p.pid, 0) == nil
	}
	conn, err := p.file.SyscallConn()
	if err != nil {
		return false
	}
	ended := false
	err = conn.Control(func(fd uintptr) { ended = readable(fd) })
	return err == nil && !ended
}

// id returns the pid, 0 for a nil process.
func (p *process) id() int {
	if p == nil {
		return 0
	}
	return p.pid
}

// signal sends the process a signal. The error is [os.ErrProcessDone] when it has
// ended, and [errors.ErrUnsupported] without a pidfd: the pid may be another
// process's by now.
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

// close closes the pidfd; ended then never reports the end.
func (p *process) close() {
	if p != nil && p.file != nil {
		_ = p.file.Close()
	}
}

// The real-time signals by the numbers of the C library, which Docker uses.
const (
	sigRTMin = 34
	sigRTMax = 64
)

// stopSignal parses the signal of a container's configuration the way Docker
// does: "SIGQUIT", "quit", "3" or "SIGRTMIN+3". "" means SIGTERM, and so does a
// name that Docker would refuse at the container's creation.
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
