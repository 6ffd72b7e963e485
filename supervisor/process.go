package supervisor

import (
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/pidfd"
)

// process is a container's first process. A nil process ended before the supervisor could
// open it.
type process struct {
	pid int
	// held reports the end at once, whatever Docker does; nil without pidfds. Then only
	// Docker reports the end.
	held *pidfd.Process
}

// openProcess opens the process that has the pid now; the caller then checks
// that it is the right one. The error is [os.ErrProcessDone] when no process has
// the pid.
func openProcess(pid int) (*process, error) {
	held, err := pidfd.Open(pid)
	if errors.Is(err, os.ErrProcessDone) {
		return nil, err
	}
	return &process{pid: pid, held: held}, nil // otherwise the pid alone must do
}

// ended returns a channel that is closed when the process has ended; nil without
// a pidfd.
func (p *process) ended() <-chan struct{} {
	if p == nil || p.held == nil {
		return nil
	}
	return p.held.Ended()
}

// alive says whether the process runs, as the kernel knows it now. Without a pidfd,
// another process may have its pid. A process that was closed counts as ended.
func (p *process) alive() bool {
	switch {
	case p == nil:
		return false
	case p.held == nil:
		return unix.Kill(p.pid, 0) == nil
	}
	return p.held.Alive()
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
	switch {
	case p == nil:
		return os.ErrProcessDone
	case p.held == nil:
		return errors.ErrUnsupported
	}
	return p.held.Signal(sig)
}

// close closes the pidfd; ended then never reports the end.
func (p *process) close() {
	if p != nil && p.held != nil {
		p.held.Close()
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
