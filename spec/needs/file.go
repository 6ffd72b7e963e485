package needs

import (
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
)

// ReadFile reads the host's file of a secret or config: a regular file of at most
// [spec.MaxFile] bytes.
func ReadFile(path string) ([]byte, error) {
	raw, err := readFile(path)
	return raw, cure.ByFile(err, path)
}

func readFile(path string) ([]byte, error) {
	return regular.Follow(path, spec.MaxFile)
}
