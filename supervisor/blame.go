package supervisor

import (
	"errors"

	"github.com/dockhost/dockhost/engine"
)

// outsideFault marks an error that the host or a person caused: Docker was restarted, or
// someone removed the container. The declaration is not to blame, so that no update goes
// back for it.
type outsideFault struct{ error }

func (f outsideFault) Unwrap() error { return f.error }

// fromOutside marks an error as an [outsideFault]. It returns nil for nil.
func fromOutside(err error) error {
	if err == nil {
		return nil
	}
	return outsideFault{err}
}

// isFromOutside reports whether the declaration is not to blame for an error.
func isFromOutside(err error) bool {
	var fault outsideFault
	return errors.As(err, &fault) || errors.Is(err, engine.ErrUnreachable)
}
