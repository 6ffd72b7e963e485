//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
	"github.com/dockhost/dockhost/systemd"
)

// inside reaches the sockets on the test host from this process. Tests ask the same question
// again and again while they wait, and a process on the host for each would keep the host
// busier than what they wait for.
var inside hostSockets

// hostSockets are the sockets on the test host.
type hostSockets struct {
	mu sync.Mutex
	// root is the root directory of the host, "" if it is not known.
	root  string
	units *systemd.Manager
}

// privateSocket is the path of systemd's own socket, for root alone.
const privateSocket = "/run/systemd/private"

// status returns the agent's status of the host. It fails where this user may not open the
// host's sockets.
func (s *hostSockets) status(ctx context.Context) (api.Status, error) {
	root, err := s.find()
	if err != nil {
		return api.Status{}, err
	}
	return client.New(root + client.Socket).Status(ctx)
}

// unit returns a unit of the host. It fails where this user may not open the host's sockets.
func (s *hostSockets) unit(ctx context.Context, name string) (systemd.Unit, error) {
	if _, err := s.find(); err != nil {
		return systemd.Unit{}, err
	}
	s.mu.Lock()
	units := s.units
	s.mu.Unlock()
	return units.Unit(ctx, name)
}

// find returns the root directory of the host.
func (s *hostSockets) find() (string, error) {
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
func (s *hostSockets) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.units != nil {
		s.units.Close()
	}
	s.root, s.units = "", nil
}
