package agent

import (
	"context"
	"net"

	"golang.org/x/sys/unix"
)

// peerKey is under which a connection's user stands in its context.
type peerKey struct{}

// nobody is the user of a connection that does not tell.
const nobody = 65534

// withPeer notes who made a connection, as the kernel has it (SO_PEERCRED,
// unix(7)).
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return ctx
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return ctx
	}
	var peer *unix.Ucred
	if err := raw.Control(func(fd uintptr) {
		peer, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil || peer == nil {
		return ctx
	}
	return context.WithValue(ctx, peerKey{}, peer.Uid)
}

// peerOf is the user who made the request.
func peerOf(ctx context.Context) uint32 {
	if uid, ok := ctx.Value(peerKey{}).(uint32); ok {
		return uid
	}
	return nobody
}
