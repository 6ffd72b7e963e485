// Package isofat reads files of iso9660 and FAT file systems without the
// kernel, without mounting them. It is for the small discs that carry user data.
// They are untrusted input: every size on the disc is checked before memory is
// allocated, and no chain is followed beyond the size of its file. It only reads.
package isofat

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
)

// ErrUnknown is returned for any other file system.
var ErrUnknown = errors.New("neither iso9660 nor FAT")

// errDamaged is for a file system that contradicts itself.
var errDamaged = errors.New("damaged file system")

const (
	// maxDir bounds the bytes of one directory.
	maxDir = 2 << 20
	// maxDepth bounds the folders in a path.
	maxDepth = 16
)

// Volume is a file system.
type Volume struct {
	// Type is blkid's name for it: "iso9660" or "vfat".
	Type string
	// Labels are its labels, at most one of each kind.
	Labels []string
	// trees are the views of its files, the best first.
	trees []tree
}

// entry is a file or a directory: where its data begin, and how long they are.
type entry struct {
	dir   bool
	first uint32
	size  uint32
	// parts is true for a file of several extents, which is not supported.
	parts bool
}

// tree is one hierarchy of names.
type tree interface {
	root() entry
	// find returns the entry of a directory with this name; case does not count.
	find(dir entry, name string) (entry, error)
	read(file entry) ([]byte, error)
}

// Open returns the file system on a disc, or ErrUnknown.
func Open(disc io.ReaderAt) (*Volume, error) {
	v, err := openISO(disc)
	if errors.Is(err, ErrUnknown) {
		v, err = openFAT(disc)
	}
	return v, err
}

// HasLabel reports whether the volume has one of these labels. Case counts.
func (v *Volume) HasLabel(labels ...string) bool {
	return slices.ContainsFunc(v.Labels, func(label string) bool { return slices.Contains(labels, label) })
}

// ReadFile returns a file of at most limit bytes by its path from the root,
// with slashes. The error for a missing file is fs.ErrNotExist.
func (v *Volume) ReadFile(path string, limit int64) ([]byte, error) {
	for _, t := range v.trees {
		file, err := lookUp(t, path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch {
		case file.dir:
			return nil, errors.New("is a directory")
		case file.parts:
			return nil, errors.New("file of several extents")
		case int64(file.size) > limit:
			return nil, fmt.Errorf("larger than %d MiB", limit>>20)
		}
		return t.read(file)
	}
	return nil, fs.ErrNotExist
}

func lookUp(t tree, path string) (entry, error) {
	names := strings.Split(strings.Trim(path, "/"), "/")
	if len(names) > maxDepth {
		return entry{}, fs.ErrNotExist
	}
	at := t.root()
	for _, name := range names {
		if !at.dir || name == "" {
			return entry{}, fs.ErrNotExist
		}
		next, err := t.find(at, name)
		if err != nil {
			return entry{}, err
		}
		at = next
	}
	return at, nil
}

// readAt returns n bytes at an offset. n is bounded by the caller.
func readAt(disc io.ReaderAt, offset int64, n int) ([]byte, error) {
	p := make([]byte, n)
	got, err := disc.ReadAt(p, offset)
	if got == n {
		return p, nil
	}
	if errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: it ends before its files do", errDamaged)
	}
	return nil, err
}

// readFull is readAt for the data of a file. A size that the disc only claims
// takes no memory: it grows with what is read.
func readFull(disc io.ReaderAt, offset, size int64) ([]byte, error) {
	p, err := io.ReadAll(io.NewSectionReader(disc, offset, size))
	if err != nil {
		return nil, err
	}
	if int64(len(p)) < size {
		return nil, fmt.Errorf("%w: it ends before its files do", errDamaged)
	}
	return p, nil
}
