package needs

import (
	"fmt"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
)

// ReadFile reads the host's file of a secret or config: a regular file of at most
// [spec.MaxFile] bytes, which has to be in the grants; nil grants all.
func ReadFile(path string, grants *beneath.Grants) ([]byte, error) {
	raw, err := readFile(path, grants)
	return raw, cure.ByFile(err, path)
}

func readFile(path string, grants *beneath.Grants) ([]byte, error) {
	at, done, err := grants.Path(path)
	if err != nil {
		return nil, err
	}
	defer done()
	raw, err := regular.Follow(at, spec.MaxFile)
	if err != nil && at != path {
		err = fmt.Errorf("read %s: %w", path, err)
	}
	return raw, err
}
