package agent

import (
	"context"
	"net"

	"golang.org/x/sys/unix"
)

// peerKey is the key of the user in the context of a connection.
type peerKey struct{}

// nobody is the user of a connection whose user is not known.
const nobody = 65534

// withPeer adds the user who made a connection to its context. The kernel knows it
// (SO_PEERCRED, unix(7)).
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

// peerOf returns the user who made a request.
func peerOf(ctx context.Context) uint32 {
	if uid, ok := ctx.Value(peerKey{}).(uint32); ok {
		return uid
	}
	return nobody
}
