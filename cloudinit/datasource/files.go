package datasource

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/dockhost/dockhost/cloudinit"
	"github.com/dockhost/dockhost/internal/regular"
)

// files is a place with the files of a datasource: a directory or a disc.
type files interface {
	// read returns a file of at most cloudinit.MaxSize bytes by its path from
	// the top. The error for a missing file is fs.ErrNotExist and names path.
	read(name string) ([]byte, error)
	// path is the name of the file in messages, or with "" of the place.
	path(name string) string
}

// directory is a directory of the host.
type directory struct{ root, dir string }

func (d directory) read(name string) ([]byte, error) {
	return readFile(d.root, d.path(name))
}

func (d directory) path(name string) string { return filepath.Join(d.dir, name) }

// firstOf returns the first of the files that is there, and its path.
func firstOf(from files, names ...string) (raw []byte, path string, err error) {
	for _, name := range names {
		raw, err = from.read(name)
		if !absent(err) {
			return raw, from.path(name), err
		}
	}
	return nil, "", err
}

func absent(err error) bool {
	return errors.Is(err, fs.ErrNotExist)
}

// readFile returns a regular file below root of at most cloudinit.MaxSize bytes.
func readFile(root, path string) ([]byte, error) {
	name := filepath.Join(root, path)
	file, err := regular.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	defer func() { _ = file.Close() }()
	raw, err := readCapped(file)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", path, err)
	}
	return raw, nil
}

// readCapped reads at most cloudinit.MaxSize bytes.
func readCapped(from io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(from, cloudinit.MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > cloudinit.MaxSize {
		return nil, fmt.Errorf("larger than %d MiB", cloudinit.MaxSize>>20)
	}
	return raw, nil
}
