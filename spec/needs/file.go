package needs

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/spec"
)

// ReadFile reads the host's file of a secret or config: a regular file of at most
// [spec.MaxFile] bytes.
func ReadFile(path string) ([]byte, error) {
	raw, err := readFile(path)
	return raw, cure.ByFile(err, path)
}

func readFile(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if err != nil {
		return nil, err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	raw, err := io.ReadAll(io.LimitReader(file, spec.MaxFile+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > spec.MaxFile {
		return nil, fmt.Errorf("%s is larger than %d KiB", path, spec.MaxFile>>10)
	}
	return raw, nil
}
