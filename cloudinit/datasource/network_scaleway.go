package datasource

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"syscall"
)

// The range is that of the kernel's NFS client: privileged ports, above those of
// most services.
const (
	lowestPrivileged  = 665
	highestPrivileged = 1023
)

// dialPrivileged connects from a port below 1024. That shows Scaleway's service
// that the client is root.
func dialPrivileged(ctx context.Context, dial dial, address string) (net.Conn, error) {
	count := highestPrivileged - lowestPrivileged + 1
	start := rand.IntN(count) //nolint:gosec // any free port will do
	var err error
	for i := range count {
		port := lowestPrivileged + (start+i)%count
		var conn net.Conn
		conn, err = dial(ctx, port, address)
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, syscall.EADDRINUSE), errors.Is(err, syscall.EADDRNOTAVAIL):
			continue
		case errors.Is(err, syscall.EACCES):
			return nil, refusal("it requires a source port below 1024, which needs root")
		}
		return nil, err
	}
	return nil, fmt.Errorf("no free port from %d to %d: %w", lowestPrivileged, highestPrivileged, err)
}
