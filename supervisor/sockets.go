package supervisor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/owner"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/systemd"
)

// retryAccept is the pause after a connection that could not be accepted.
const retryAccept = time.Second

// socketKeeper keeps the descriptors of the unit's socket units for the container.
// It sends them to dockhost-runtime at each start of the container, also at those of
// docker restart.
type socketKeeper struct {
	sockets  systemd.Sockets
	listener *net.UnixListener
	path     string
}

// checkSockets returns an error if the container cannot get the sockets that systemd
// passed, and warns if its program may not use them.
func checkSockets(sockets systemd.Sockets, c *spec.Container, u *unit) error {
	if sockets.Others != 0 && u.exists() {
		u.log.Warn("systemd passed the unit's sockets to another process, so the container does not get them (in a shell script, write: exec dockhost run)",
			zap.Int("pid", sockets.Others))
	}
	runtime := filepath.Base(c.Runtime)
	switch {
	case len(sockets.FDs) == 0:
		return nil
	case len(sockets.FDs) > placement.MaxSockets:
		return fmt.Errorf("systemd passed %d sockets (LISTEN_FDS), and a container can get at most %d", len(sockets.FDs), placement.MaxSockets)
	case !u.exists():
		return errors.New("sockets of LISTEN_FDS cannot reach a container outside of a unit (start dockhost run in a service, with ExecStart=)")
	case c.Runtime != "" && !passesFiles(runtime):
		return fmt.Errorf("OCI runtime %q cannot pass the unit's sockets (LISTEN_FDS) to the container (use runc or crun, or let the container listen by itself and remove the socket unit)", runtime)
	}
	if host := c.HostConfig; host != nil && (host.PidMode != "" || host.Init != nil && *host.Init) {
		u.log.Warn("LISTEN_PID cannot be set in this container: a program that requires it ignores the unit's sockets (leave out --init and --pid)")
	}
	return nil
}

// passesFiles says whether an OCI runtime has runc's option --preserve-fds.
func passesFiles(runtime string) bool {
	return slices.ContainsFunc([]string{"runc", "crun", "youki", "nvidia-container-runtime"}, func(name string) bool {
		return runtime == name || strings.HasPrefix(runtime, name+"-") || strings.HasPrefix(runtime, name+".")
	})
}

// keepSockets listens for dockhost-runtime in the directory of the placements. It
// returns nil without sockets.
func keepSockets(ctx context.Context, sockets systemd.Sockets, dir string) (*socketKeeper, error) {
	if len(sockets.FDs) == 0 {
		return nil, nil //nolint:nilnil // most units have no sockets
	}
	if err := makeRuntimeDir(dir); err != nil {
		return nil, err
	}
	owner.SweepSockets(dir)
	path := filepath.Join(dir, placement.SocketsPrefix+strconv.Itoa(os.Getpid()))
	listener, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("listen for dockhost-runtime: %w", err)
	}
	k := &socketKeeper{sockets: sockets, listener: listener, path: path}
	if err := os.Chmod(path, 0o600); err != nil {
		k.close()
		return nil, fmt.Errorf("listen for dockhost-runtime: %w", err)
	}
	go k.serve(ctx)
	return k, nil
}

// place returns what the placement says about the sockets; nil without sockets.
func (k *socketKeeper) place() *placement.Sockets {
	if k == nil {
		return nil
	}
	return &placement.Sockets{Path: k.path, Count: len(k.sockets.FDs), Names: k.sockets.Names}
}

// close ends the service. A container that runs keeps its descriptors.
func (k *socketKeeper) close() {
	if k == nil {
		return
	}
	_ = k.listener.Close() // removes the file, too
}

// serve sends the descriptors to each process that connects and may have them, until
// close.
func (k *socketKeeper) serve(ctx context.Context) {
	for {
		conn, err := k.listener.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			pause(ctx, retryAccept) // this process has too many open files
			continue
		}
		if mayHave(conn) {
			// dockhost-runtime reports a message that does not arrive.
			_, _, _ = conn.WriteMsgUnix([]byte{0}, unix.UnixRights(k.sockets.FDs...), nil)
		}
		_ = conn.Close()
	}
}

// mayHave says whether root has connected, or the user that the unit runs as, who
// has the descriptors already.
func mayHave(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	var peer *unix.Ucred
	var peerErr error
	err = raw.Control(func(fd uintptr) {
		peer, peerErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	return err == nil && peerErr == nil && (peer.Uid == 0 || int(peer.Uid) == os.Geteuid())
}
