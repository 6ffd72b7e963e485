package supervisor

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/supervisor/owner"
)

// senders knows which start of a container a message on its notify socket belongs
// to. Docker reports a docker restart on another connection, maybe later: a busy
// supervisor may read the READY=1 of the new process before it knows of it.
type senders struct {
	// root is a prefix of /proc.
	root string

	mu     sync.Mutex
	latest *start
	// former is the first process before the last docker restart, 0 for none.
	former int
	// early are the messages of a start that Docker has not reported yet, as one.
	early message
}

// start is one start of the container.
type start struct {
	first *process
	// at is when the first process has started, in clock ticks since the boot; 0 if
	// that is unknown.
	at uint64
	// isReady says that the container has said READY=1 since.
	isReady atomic.Bool
	// isStopping says that it has said STOPPING=1.
	isStopping atomic.Bool
	// moreTime bounds the time that the container asks for.
	moreTime moreTime
}

// moreTime bounds the time that a container may ask for while it starts or reloads.
type moreTime struct {
	// until is when the longest start or reload ends; nil while the container does
	// neither.
	until atomic.Pointer[time.Time]
}

// begin notes that a start or a reload begins.
func (t *moreTime) begin() { t.until.Store(new(time.Now().Add(maxExtension))) }

// end notes that it has ended.
func (t *moreTime) end() { t.until.Store(nil) }

// grant returns how much of the time that a container asks for it gets.
func (t *moreTime) grant(asked time.Duration) time.Duration {
	until := t.until.Load()
	if until == nil {
		return 0
	}
	return max(min(asked, time.Until(*until)), 0)
}

// nameSenders has the kernel name the sender of each message.
func nameSenders(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var set error
	err = raw.Control(func(fd uintptr) { set = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PASSCRED, 1) })
	if err == nil {
		err = set
	}
	return err
}

// begin notes another start, with its first process. It returns the start, and after a
// docker restart what the container has already said since.
func (s *senders) begin(first *process) (latest *start, early message, restarted bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	restarted, early = s.latest != nil, s.early
	if restarted {
		s.former = s.latest.first.id()
	}
	s.latest, s.early = &start{first: first, at: s.started(first.id())}, message{}
	s.latest.moreTime.begin()
	return s.latest, early, restarted
}

// receive returns the start to which a message belongs. It returns nil if the message
// is of a process before the last docker restart, and if Docker has not reported the
// start yet: then begin returns the message.
func (s *senders) receive(m message, sender int) *start {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.started(sender) // 0 if the sender has ended
	switch {
	case sender != 0 && sender == s.former, at != 0 && at < s.latest.at:
		return nil
	case sender != 0 && sender == s.latest.first.id(), s.latest.first.alive():
		return s.latest
	}
	// Nothing in the container outlives its first process.
	s.early = s.early.and(m)
	return nil
}

// isLatest says whether the container was not restarted since a start.
func (s *senders) isLatest(one *start) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.latest == one
}

// started returns when a process has started, in clock ticks since the boot; 0 if it
// does not run.
func (s *senders) started(pid int) uint64 {
	at, _ := strconv.ParseUint(owner.Started(s.root, pid), 10, 64)
	return at
}

// and returns what two messages say, one after the other.
func (m message) and(next message) message {
	m.ready = m.ready || next.ready
	if next.ready {
		m.reloading = false
		m.pass = without(without(m.pass, "RELOADING"), "MONOTONIC_USEC")
	}
	m.reloading, m.stopping = m.reloading || next.reloading, m.stopping || next.stopping
	m.extend = max(m.extend, next.extend)
	if next.watchdog > 0 {
		m.watchdog = next.watchdog
	}
	if next.status != nil {
		m.status = next.status
	}
	for _, assignment := range next.pass {
		name, _, _ := strings.Cut(assignment, "=")
		m.pass = append(without(m.pass, name), assignment)
	}
	return m
}

// without returns assignments without those of a name.
func without(assignments []string, name string) []string {
	return slices.DeleteFunc(assignments, func(a string) bool { return strings.HasPrefix(a, name+"=") })
}
