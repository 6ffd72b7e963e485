package systemd

import (
	"fmt"
	"net"

	"github.com/coreos/go-systemd/v22/activation"
)

// Listener returns the socket that systemd passed (sd_listen_fds(3)), or nil if it
// passed none.
func Listener() (net.Listener, error) {
	passed, err := activation.Listeners()
	if err != nil {
		return nil, fmt.Errorf("use the socket from systemd: %w", err)
	}
	if len(passed) == 0 || passed[0] == nil {
		return nil, nil //nolint:nilnil // running without a socket is not an error
	}
	return passed[0], nil
}
