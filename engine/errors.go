package engine

import (
	"errors"
	"fmt"
	"net"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/client"
)

// What callers test for with errors.Is. The text of the error that wraps one
// is the Engine's own.
var (
	// ErrUnreachable means that no Engine answers.
	ErrUnreachable = errors.New("docker is unreachable")
	// ErrNotFound means that the container, image or tag does not exist.
	ErrNotFound = errors.New("not found")
	// ErrConflict means that the name is taken, or that the object is in a
	// state in which this cannot be done.
	ErrConflict = errors.New("conflict")
	// ErrInvalid means that the Engine refuses the request as it is.
	ErrInvalid = errors.New("invalid request")
	// ErrStalled means that a pull was ended because no byte arrived.
	ErrStalled = errors.New("pull stalled")
	// ErrNoSpace means that an image does not fit on the disk.
	ErrNoSpace = errors.New("no space for the image")
	// ErrUnreadable means that the container's logging driver keeps no log that
	// Docker can read.
	ErrUnreadable = errors.New("log cannot be read")
	// ErrRuntimeMissing means that the OCI runtime is not registered.
	ErrRuntimeMissing = errors.New("runtime is not registered with Docker")
)

// classified gives a foreign error one of this package's kinds and leaves its
// text as it is.
type classified struct {
	error
	kind error
}

func (c classified) Unwrap() []error { return []error{c.kind, c.error} }

// translate makes a Docker client's error one of this package's.
func translate(err error) error {
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case client.IsErrConnectionFailed(err), errors.As(err, &op) && op.Op == "dial":
		// The client does not mark a dial that failed when it hijacks.
		return classified{err, ErrUnreachable}
	case cerrdefs.IsNotFound(err):
		return classified{err, ErrNotFound}
	case cerrdefs.IsConflict(err):
		return classified{err, ErrConflict}
	case cerrdefs.IsInvalidArgument(err):
		return classified{err, ErrInvalid}
	}
	return err
}

// missingRuntime returns an error that names the runtime and the cure.
func missingRuntime(name string) error {
	return classified{fmt.Errorf("runtime %q is not registered with Docker (run: dockhost setup)", name), ErrRuntimeMissing}
}
