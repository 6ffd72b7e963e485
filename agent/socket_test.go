package agent

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
)

// listens makes a listener at a path below root, as systemd does.
func listens(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// An agent replaces the socket of one that was killed, and leaves the socket of another
// process alone.
func TestOpenSocket(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "agent.sock")
	writeFile(t, filepath.Join(root, "proc/net/unix"), "Num RefCount Protocol Flags Type St Inode Path\n"+
		"0000: 00000003 00000000 00000000 0001 03 4711 /agent.sock\n")
	_ = listens(t, path).Close()
	socket, err := OpenSocket(t.Context(), root, "/agent.sock", nil)
	if err != nil {
		t.Fatalf("OpenSocket() with the socket of a killed agent: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("socket: %v, %v, want mode 0666", info, err)
	}
	if err := socket.Close(); err != nil {
		t.Errorf("Close() = %v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket after Close(): %v, want it removed", err)
	}

	writeFile(t, filepath.Join(root, "proc/net/unix"), "Num RefCount Protocol Flags Type St Inode Path\n"+
		"0000: 00000002 00000000 00010000 0001 01 4711 /agent.sock\n")
	listens(t, path)
	if _, err := OpenSocket(t.Context(), root, "/agent.sock", nil); err == nil || !strings.Contains(err.Error(), "systemctl start dockhost") {
		t.Errorf("OpenSocket() where dockhost.socket listens = %v, want what to do", err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket of another process: %v, want it left alone", err)
	}
}

// The agent never removes a socket that systemd owns: not the one that it was passed,
// and not one that replaced its own.
func TestSocketOfSystemdStays(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "agent.sock")
	passed, err := OpenSocket(t.Context(), root, "/agent.sock", listens(t, path))
	if err != nil {
		t.Fatal(err)
	}
	_ = passed.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket that systemd passed, after Close(): %v, want it there", err)
	}
	_ = os.Remove(path)
	own, err := OpenSocket(t.Context(), root, "/agent.sock", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(path)
	listens(t, path)
	_ = own.Close()
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the socket that systemd put in place of the agent's: %v, want it there", err)
	}
}

// systemd creates a socket again whose file someone has removed.
func TestRemovedSocketHeals(t *testing.T) {
	h := newTestHost(t)
	path := filepath.Join(h.root, "agent.sock")
	socket, err := OpenSocket(t.Context(), h.root, "/agent.sock", listens(t, path))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	restarts := &restartRecorder{fakeUnits: h.units, done: cancel}
	removed := time.AfterFunc(100*time.Millisecond, func() { _ = os.Remove(path) })
	defer removed.Stop()
	socket.watch(ctx, restarts, zap.NewNop())
	if !slices.Equal(restarts.names, []string{"dockhost.socket"}) {
		t.Errorf("restarted units = %v, want dockhost.socket", restarts.names)
	}
}

// restartRecorder notes which units are restarted.
type restartRecorder struct {
	*fakeUnits
	names []string
	done  func()
}

func (r *restartRecorder) Restart(_ context.Context, name string) error {
	r.names = append(r.names, name)
	r.done()
	return nil
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
