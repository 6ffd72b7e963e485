package agent

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/agent/api"
)

// peer is the process at the other end of a connection. The kernel noted it when the
// process connected, so that it can neither lie nor change afterwards.
type peer struct {
	uid uint32
	// gids are all groups of the process.
	gids []uint32
}

// nobody is the user of a connection whose user is not known.
const nobody = 65534

// peerKey is the key of the peer in the context of a connection.
type peerKey struct{}

// withPeer adds the peer of a connection to its context.
func withPeer(ctx context.Context, conn net.Conn) context.Context {
	if client, ok := conn.(*clientConn); ok {
		return context.WithValue(ctx, peerKey{}, client.peer)
	}
	return ctx
}

// clientOf returns the peer of a request.
func clientOf(ctx context.Context) peer {
	if p, ok := ctx.Value(peerKey{}).(peer); ok {
		return p
	}
	return peer{uid: nobody}
}

// peerOf returns the user who made a request.
func peerOf(ctx context.Context) uint32 { return clientOf(ctx).uid }

// readPeer asks the kernel for the peer of a connection (SO_PEERCRED and SO_PEERGROUPS,
// unix(7)). What it does not tell is nobody's.
func readPeer(conn net.Conn) peer {
	p := peer{uid: nobody}
	local, ok := conn.(*net.UnixConn)
	if !ok {
		return p
	}
	raw, err := local.SyscallConn()
	if err != nil {
		return p
	}
	_ = raw.Control(func(fd uintptr) {
		credentials, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return
		}
		p.uid, p.gids = credentials.Uid, append(peerGroups(fd), credentials.Gid)
	})
	return p
}

// peerGroups returns the supplementary groups of a peer. Linux has SO_PEERGROUPS since
// 4.13. Without it, and on an error, the list is empty.
func peerGroups(fd uintptr) []uint32 {
	for size := 32; ; {
		gids := make([]uint32, size)
		length := uint32(size) * 4
		_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, fd, unix.SOL_SOCKET, unix.SO_PEERGROUPS,
			uintptr(unsafe.Pointer(&gids[0])), uintptr(unsafe.Pointer(&length)), 0) //nolint:gosec // x/sys has no function for it
		switch {
		case errno == 0:
			return gids[:length/4]
		case errno == unix.ERANGE && int(length/4) > size:
			size = int(length / 4)
		default:
			return nil
		}
	}
}

// changers are those who may do more than read: root, the user of the agent itself, and
// the group that owns the socket's file, unless that is root's.
type changers struct {
	uid, gid uint32
}

// changersOf returns who may change something by the socket at path.
func changersOf(path string) changers {
	c := changers{uid: uint32(os.Geteuid())} //nolint:gosec // it is one
	info, err := os.Stat(path)
	if err != nil {
		return c
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode()&fs.ModeSocket != 0 {
		c.gid = stat.Gid
	}
	return c
}

func (c changers) include(p peer) bool {
	return p.uid == 0 || p.uid == c.uid || c.gid != 0 && slices.Contains(p.gids, c.gid)
}

// check returns an error for a peer that has not the access that a route needs. It says
// who has.
func (c changers) check(p peer, access api.Access) error {
	switch {
	case access == api.Reads, p.uid == 0, access == api.Changes && c.include(p):
		return nil
	case access == api.RootOnly:
		return fmt.Errorf("only root may do this, and user %s asks (use sudo)", userName(p.uid))
	case c.gid == 0:
		return fmt.Errorf("only root may do this, and user %s may only read (use sudo)", userName(p.uid))
	}
	return fmt.Errorf("only root and members of the group %s may do this, and user %s may only read (use sudo)", groupName(c.gid), userName(p.uid))
}

func userName(uid uint32) string {
	id := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(id); err == nil {
		return u.Username
	}
	return id
}

func groupName(gid uint32) string {
	id := strconv.FormatUint(uint64(gid), 10)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
