package placement

import (
	"fmt"
	"path/filepath"
)

// SocketsPrefix and the supervisor's pid are the name of the socket in [Dir] from
// which dockhost-runtime gets the descriptors of the unit's socket units.
const SocketsPrefix = "sockets-"

// MaxSockets is how many descriptors one message can carry (unix(7), SCM_MAX_FD).
const MaxSockets = 253

// Sockets are the descriptors of socket units that the container's first process
// gets. The supervisor keeps them, and sends them as SCM_RIGHTS to each root process
// that connects to the socket at Path.
type Sockets struct {
	// Path is the supervisor's socket, of the type SOCK_SEQPACKET.
	Path string `json:"path"`
	// Count is the number of descriptors.
	Count int `json:"count"`
	// Names is LISTEN_FDNAMES; "" for none.
	Names string `json:"names,omitempty"`
}

// validate checks the sockets; nil is valid.
func (s *Sockets) validate() error {
	if s == nil {
		return nil
	}
	if !filepath.IsAbs(s.Path) || s.Count < 1 || s.Count > MaxSockets {
		return fmt.Errorf("sockets: %d descriptors from %q are not between 1 and %d from an absolute path", s.Count, s.Path, MaxSockets)
	}
	return nil
}
