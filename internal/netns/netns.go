// Package netns connects to addresses from within the network namespaces of other
// processes. Only the thread that makes a connection enters a namespace.
package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// ErrNoEntry means that this process may not enter network namespaces.
var ErrNoEntry = errors.New("cannot enter the container's network namespace")

// Dial connects to an address from within the network namespace of a process. alive
// says whether the process runs still: its pid may by now be that of another one, which is
// outside of the container. The error is [ErrNoEntry] if this process may not enter the
// namespace, and [os.ErrProcessDone] when the process has ended.
func Dial(ctx context.Context, pid int, alive func() bool, address netip.AddrPort) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := dialOnThread(ctx, pid, alive, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// dialOnThread must be called on a new goroutine. If the thread cannot leave the
// namespace again, it ends with the goroutine, which is locked to it
// (runtime.LockOSThread).
func dialOnThread(ctx context.Context, pid int, alive func() bool, address netip.AddrPort) (net.Conn, error) {
	runtime.LockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoEntry, err)
	}
	defer outside.Close()
	inside, err := open(pid, alive)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, entryError(err)
	}
	defer inside.Close()
	if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, entryError(err)
	}
	// With one address only, a dialer creates the socket on the calling goroutine.
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	if unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return conn, err
}

// open opens the network namespace of a process.
func open(pid int, alive func() bool) (*os.File, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, err
	}
	if !alive() { // the pid was its own until now
		return nil, errors.Join(os.ErrProcessDone, namespace.Close())
	}
	return namespace, nil
}

// entryError adds ErrNoEntry to an error that means a lack of permission, and
// not that the process has ended.
func entryError(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w", ErrNoEntry, err)
	}
	return err
}
