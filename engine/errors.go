package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"github.com/dockhost/dockhost/internal/cure"
)

// The kinds of errors, for errors.Is. The error that wraps a kind has the Engine's
// text.
var (
	// ErrUnreachable means that no Engine answers.
	ErrUnreachable = errors.New("docker is unreachable")
	// ErrDenied means that this user may not connect to the Engine. Such an error is
	// [ErrUnreachable], too.
	ErrDenied = errors.New("permission denied")
	// ErrNotFound means that the container, image or tag does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the name is taken, or that the state of the object does
	// not allow the operation.
	ErrConflict = errors.New("conflict")
	// ErrInvalid means that the Engine rejects the request.
	ErrInvalid = errors.New("invalid request")
	// ErrStalled means that a pull was cancelled because no data arrived.
	ErrStalled = errors.New("pull stalled")
	// ErrNoSpace means that an image does not fit on the disk.
	ErrNoSpace = errors.New("no space for the image")
	// ErrUntrusted means that a registry's answer about an image is longer than it may be,
	// claims what cannot be, or leads into the host. The Engine would follow it.
	ErrUntrusted = errors.New("the registry cannot be trusted")
	// ErrUnreadable means that the container's logging driver keeps no log that Docker
	// can read.
	ErrUnreadable = errors.New("log cannot be read")
	// ErrBroken means that Docker could not read on in the container's log. A disk
	// that was full may have left half a message in it.
	ErrBroken = errors.New("log is broken")
	// ErrRuntimeMissing means that the OCI runtime is not registered.
	ErrRuntimeMissing = errors.New("runtime is not registered with Docker")
)

// classified gives a foreign error one of this package's kinds and keeps its text.
type classified struct {
	error
	kind error
}

func (c classified) Unwrap() []error { return []error{c.kind, c.error} }

// translate gives an error of the Docker client one of this package's kinds.
func translate(err error) error {
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case isFirewall(err):
		return fmt.Errorf("%s: %w", firewallCure, err)
	case errors.Is(err, fs.ErrPermission):
		return classified{classified{err, ErrUnreachable}, ErrDenied}
	case client.IsErrConnectionFailed(err), errors.As(err, &op) && op.Op == "dial":
		// The client does not mark a failed dial of a hijacked connection.
		return classified{err, ErrUnreachable}
	case cerrdefs.IsNotFound(err):
		return classified{err, ErrNotFound}
	case cerrdefs.IsConflict(err):
		return classified{err, ErrConflict}
	case cerrdefs.IsInvalidArgument(err):
		return classified{err, ErrInvalid}
	case strings.Contains(err.Error(), unix.ENOSPC.Error()):
		return cure.By(err, cure.Cure{Kind: cure.Disk})
	}
	return err
}

// missingRuntime returns an error with the runtime's name and what to do.
func missingRuntime(name string) error {
	err := classified{fmt.Errorf("runtime %q is not registered with Docker (run: dockhost setup)", name), ErrRuntimeMissing}
	return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "daemon"})
}
