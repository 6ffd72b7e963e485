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
// process. The connection belongs to that namespace; nothing else of this
// process is ever in it, but the thread that makes the connection.
func dialInside(ctx context.Context, pid int, address netip.AddrPort) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		conn, err := dialOnThread(ctx, pid, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}

// dialOnThread is to be called on a goroutine of its own: where the thread
// cannot leave the namespace again, it ends with the goroutine, since that is
// locked to it (runtime.LockOSThread).
func dialOnThread(ctx context.Context, pid int, address netip.AddrPort) (net.Conn, error) {
	runtime.LockOSThread()
	outside, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoEntry, err)
	}
	defer outside.Close()
	inside, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		runtime.UnlockOSThread()
		return nil, entryError(err)
	}
	defer inside.Close()
	if err := unix.Setns(int(inside.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, entryError(err)
	}
	// A dialer makes the socket on the goroutine that called it, where there is
	// one address only.
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address.String())
	if unix.Setns(int(outside.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return conn, err
}

// entryError tells what is not permitted from a process that has gone.
func entryError(err error) error {
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) {
		return fmt.Errorf("%w: %w", errNoEntry, err)
	}
	return err
}
