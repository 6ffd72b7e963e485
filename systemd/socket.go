package systemd

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"github.com/coreos/go-systemd/v22/activation"
	"golang.org/x/sys/unix"
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

// firstSocket is the descriptor of the first socket (SD_LISTEN_FDS_START).
const firstSocket = 3

// Sockets are the descriptors that systemd passes to a service for its socket units.
// They are not files of Go, which would watch them for connections.
type Sockets struct {
	// FDs are the descriptors in systemd's order.
	FDs []int
	// Names is LISTEN_FDNAMES, a name for each descriptor between colons; "" if
	// systemd set none.
	Names string
	// Others is the process that the descriptors are meant for, if it is not this
	// one; 0 otherwise. FDs is empty then.
	Others int
}

// PassedSockets returns the descriptors that systemd passed to this process
// (sd_listen_fds(3)). Programs that this process runs do not inherit them.
func PassedSockets(getenv func(string) string) Sockets {
	count, err := strconv.Atoi(getenv("LISTEN_FDS"))
	pid, pidErr := strconv.Atoi(getenv("LISTEN_PID"))
	if err != nil || pidErr != nil || count <= 0 {
		return Sockets{}
	}
	if pid != os.Getpid() {
		return Sockets{Others: pid}
	}
	sockets := Sockets{Names: getenv("LISTEN_FDNAMES")}
	if len(strings.Split(sockets.Names, ":")) != count {
		sockets.Names = ""
	}
	for fd := firstSocket; fd < firstSocket+count; fd++ {
		unix.CloseOnExec(fd)
		sockets.FDs = append(sockets.FDs, fd)
	}
	return sockets
}
