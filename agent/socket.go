package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"go.uber.org/zap"
)

// socketUnit is the unit that owns the socket of the local API on most hosts.
const socketUnit = "dockhost.socket"

// acceptsConnections is the flag of a listening socket in /proc/net/unix
// (__SO_ACCEPTCON in the kernel).
const acceptsConnections = 1 << 16

// Socket is the socket of the local API.
type Socket struct {
	net.Listener
	// path is where the file is; "" if systemd passed a socket that an administrator has
	// moved elsewhere.
	path string
	// own says that the agent created the socket, and not systemd.
	own bool
	// file is the socket's file at the start; nil if it was missing.
	file fs.FileInfo
}

// OpenSocket returns the socket that systemd passed, or a new one at path if it passed
// none. It leaves a socket alone that another process listens on: of an agent that was
// killed, only the file is left, and replaced.
func OpenSocket(ctx context.Context, root, path string, passed net.Listener) (*Socket, error) {
	s := &Socket{Listener: passed, path: filepath.Join(root, path)}
	switch {
	case passed != nil && passed.Addr().String() != s.path:
		s.path = ""
		return s, nil
	case passed != nil:
		s.file, _ = os.Lstat(s.path)
		return s, nil
	case isListening(root, path):
		return nil, fmt.Errorf("another process, or %s, listens at %s (start the agent with: systemctl start dockhost)", socketUnit, path)
	}
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("replace the socket of an agent that was killed: %w", err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "unix", s.path)
	if err != nil {
		return nil, err
	}
	if unixListener, isUnix := listener.(*net.UnixListener); isUnix {
		unixListener.SetUnlinkOnClose(false)
	}
	s.Listener, s.own = listener, true
	// Everybody may read the status. Of those who connect, only root may change anything.
	if err := os.Chmod(s.path, 0o666); err != nil { //nolint:gosec // as above
		_ = listener.Close()
		return nil, err
	}
	s.file, err = os.Lstat(s.path)
	return s, err
}

// isListening reports whether a process of the host listens at path.
func isListening(root, path string) bool {
	file, err := os.Open(filepath.Join(root, "/proc/net/unix"))
	if err != nil {
		return false
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		// Num RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || fields[7] != path {
			continue
		}
		if flags, err := strconv.ParseUint(fields[3], 16, 64); err == nil && flags&acceptsConnections != 0 {
			return true
		}
	}
	return false
}

// Close closes the socket. It removes the file if the agent created it, and nobody has
// replaced it.
func (s *Socket) Close() error {
	err := s.Listener.Close()
	if s.own && s.unchanged() {
		err = errors.Join(err, os.Remove(s.path))
	}
	return err
}

// unchanged reports whether clients that open the path reach this socket.
func (s *Socket) unchanged() bool {
	now, err := os.Lstat(s.path)
	return err == nil && s.file != nil && os.SameFile(s.file, now)
}

// watch has systemd create the socket again if someone removes its file: only the owner
// can do that. systemd then starts the agent again, too. It ends with ctx.
func (s *Socket) watch(ctx context.Context, units unitManager, log *zap.Logger) {
	if s.path == "" {
		return
	}
	changes := watchDirs(ctx, log, nil, filepath.Dir(s.path))
	for {
		if ctx.Err() == nil && !s.unchanged() {
			if s.own {
				log.Error("the socket of the local API was removed (start the agent again)", zap.String("path", s.path))
				return
			}
			log.Warn("the socket of the local API was removed: restarting its unit", zap.String("path", s.path), zap.String("unit", socketUnit))
			if err := units.Restart(ctx, socketUnit); err != nil {
				log.Error("socket not created again (run: systemctl restart "+socketUnit+")", zap.Error(err))
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-changes:
		}
	}
}
