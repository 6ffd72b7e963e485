package supervisor

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

// errNoEntry means that this process may not enter network namespaces.
var errNoEntry = errors.New("cannot enter the container's network namespace")

// dialInside connects to an address from within the network namespace of a
// process. Only the thread that makes the connection enters the namespace.
func dialInside(ctx context.Context, first *process, address netip.AddrPort) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := dialOnThread(ctx, first, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// dialOnThread must be called on a new goroutine. If the thread cannot leave the
// namespace again, it ends with the goroutine, which is locked to it
// (runtime.LockOSThread).
func dialOnThread(ctx context.Context, first *process, address netip.AddrPort) (net.Conn, error) {
	runtime.LockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEntry, err)
	}
	defer outside.Close()
	inside, err := openNetwork(first)
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

// openNetwork opens the network namespace of a process. The error is
// [os.ErrProcessDone] when the process has ended: another one may have its pid by now,
// and be outside of the container.
func openNetwork(first *process) (*os.File, error) {
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", first.id()))
	if err != nil {
		return nil, err
	}
	if !first.alive() { // the pid was its own until now
		return nil, errors.Join(os.ErrProcessDone, namespace.Close())
	}
	return namespace, nil
}

// entryError adds errNoEntry to an error that means a lack of permission, and
// not that the process has ended.
func entryError(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w", errNoEntry, err)
	}
	return err
}
