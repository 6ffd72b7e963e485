package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
)

// filesDir is where administrators and builders of images put Compose files: each
// *.yaml or *.yml in it.
const filesDir = "/etc/dockhost/containers"

// fileSet is what the files in filesDir declare.
type fileSet struct {
	// assignments are by file name.
	assignments map[string]spec.Assignment
	// warnings and problems name the file.
	warnings, problems []string
	// beside are the directories in which the files look for other files, on the
	// host.
	beside []string
}

// readFiles returns what the files below root declare. While a file has a mistake,
// what it declared before stays in force. The containers of a file end when it is
// removed.
func readFiles(ctx context.Context, root string, old *accepted) fileSet {
	before := map[string]spec.Assignment{}
	if old != nil {
		before = old.Files
	}
	dir := filepath.Join(root, filesDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fileSet{}
	}
	if err != nil {
		return fileSet{assignments: before, problems: problems(fmt.Errorf("read the containers' files: %w", err))}
	}
	set := fileSet{assignments: map[string]spec.Assignment{}}
	beside := directory{path: dir, opened: map[string]bool{}}
	for _, entry := range entries {
		name := entry.Name()
		if !isComposeFile(name) {
			continue
		}
		shown := filepath.Join(filesDir, name)
		result, err := readFile(ctx, filepath.Join(dir, name), shown, beside)
		if errors.Is(err, fs.ErrNotExist) { // it was removed just now
			continue
		}
		if err != nil {
			set.problems = append(set.problems, problems(err)...)
			if last, known := before[name]; known {
				set.assignments[name] = last
			}
			continue
		}
		for _, warning := range result.Warnings {
			set.warnings = append(set.warnings, shown+": "+warning)
		}
		set.assignments[name] = *result.Assignment
	}
	for _, name := range slices.Sorted(maps.Keys(beside.opened)) {
		set.beside = append(set.beside, filepath.Join(dir, name))
	}
	return set
}

// directory is filesDir. It records in which directories files were opened.
type directory struct {
	path   string
	opened map[string]bool
}

// Open opens a file, and records its directory.
func (d directory) Open(name string) (fs.File, error) {
	d.opened[path.Dir(name)] = true
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	return regular.Open(filepath.Join(d.path, name))
}

// isComposeFile excludes the files that editors and package managers leave.
func isComposeFile(name string) bool {
	extension := filepath.Ext(name)
	return (extension == ".yaml" || extension == ".yml") && !strings.HasPrefix(name, ".")
}

// maxFile bounds a Compose file, in bytes.
const maxFile = 1 << 20

// readFile reads one Compose file. Messages name it by shown. beside is its directory.
func readFile(ctx context.Context, path, shown string, beside fs.FS) (*assignment.Result, error) {
	text, err := regular.Follow(path, maxFile)
	if errors.Is(err, regular.ErrNotRegular) || errors.Is(err, regular.ErrTooLarge) {
		return nil, fmt.Errorf("%s: not a file of at most %d KiB", shown, maxFile>>10)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, errors.Unwrap(err))
	}
	return assignment.ReadFile(ctx, shown, text, assignment.Directory{Path: filesDir, Files: beside})
}
