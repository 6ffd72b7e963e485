//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
	"github.com/dockhost/dockhost/systemd"
)

// inside reaches sockets and files on the test host from this process. Tests ask the same
// question again and again while they wait, and a process on the host for each would keep
// the host busier than what they wait for.
var inside insideHost

// insideHost is the test host as the machine on which it runs sees it.
type insideHost struct {
	mu sync.Mutex
	// root is the root directory of the host, "" if it is not known.
	root  string
	units *systemd.Manager
}

// privateSocket is the path of systemd's own socket, for root alone.
const privateSocket = "/run/systemd/private"

// status returns the agent's status of the host. It fails where this user may not open the
// host's sockets.
func (s *insideHost) status(ctx context.Context) (api.Status, error) {
	root, err := s.find()
	if err != nil {
		return api.Status{}, err
	}
	return client.New(root + client.Socket).Status(ctx)
}

// unit returns a unit of the host. It fails where this user may not open the host's sockets.
func (s *insideHost) unit(ctx context.Context, name string) (systemd.Unit, error) {
	if _, err := s.find(); err != nil {
		return systemd.Unit{}, err
	}
	s.mu.Lock()
	units := s.units
	s.mu.Unlock()
	return units.Unit(ctx, name)
}

// write writes a file of the host. It fails where this user may not, and where a link on the
// way leads to an absolute path.
func (s *insideHost) write(path, text string) error {
	found, err := s.find()
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(found)
	if err != nil {
		return err
	}
	defer root.Close()
	path = strings.TrimPrefix(path, "/")
	if err := root.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return root.WriteFile(path, []byte(text), 0o644)
}

// exists says whether the host is known to have a file.
func (s *insideHost) exists(path string) bool {
	root, err := s.find()
	if err != nil {
		return false
	}
	_, err = os.Stat(root + path)
	return err == nil
}

// find returns the root directory of the host.
func (s *insideHost) find() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.root != "" {
		return s.root, nil
	}
	out, err := dockerOutside("inspect", "--format", "{{.State.Pid}}", hostName())
	if err != nil {
		return "", fmt.Errorf("find the first process of %s: %w: %s", hostName(), err, out)
	}
	root := "/proc/" + strings.TrimSpace(out) + "/root"
	if _, err := os.Stat(root + privateSocket); err != nil {
		return "", err
	}
	s.root, s.units = root, &systemd.Manager{Socket: root + privateSocket}
	return root, nil
}

// close forgets the host. Call it before the host restarts.
func (s *insideHost) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.units != nil {
		s.units.Close()
	}
	s.root, s.units = "", nil
}
