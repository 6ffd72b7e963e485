package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dockhost/dockhost/assignment"
	"github.com/dockhost/dockhost/spec"
)

// filesDir is where administrators and builders of images put Compose files: each
// *.yaml or *.yml in it.
const filesDir = "/etc/dockhost/containers"

// readFiles returns what the files below root declare, by file name, and what is
// wrong with them. While a file has a mistake, what it declared before stays in
// force. The containers of a file end when it is removed.
func readFiles(ctx context.Context, root string, old *accepted) (map[string]spec.Assignment, []string) {
	before := map[string]spec.Assignment{}
	if old != nil {
		before = old.Files
	}
	dir := filepath.Join(root, filesDir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return before, problems(fmt.Errorf("read the containers' files: %w", err))
	}
	files, wrong := map[string]spec.Assignment{}, []string{}
	for _, entry := range entries {
		name := entry.Name()
		if !isComposeFile(name) {
			continue
		}
		assignment, err := readFile(ctx, filepath.Join(dir, name), filepath.Join(filesDir, name))
		if errors.Is(err, fs.ErrNotExist) { // it was removed just now
			continue
		}
		if err != nil {
			wrong = append(wrong, problems(err)...)
			if last, known := before[name]; known {
				files[name] = last
			}
			continue
		}
		files[name] = *assignment
	}
	return files, wrong
}

// isComposeFile excludes the files that editors and package managers leave.
func isComposeFile(name string) bool {
	extension := filepath.Ext(name)
	return (extension == ".yaml" || extension == ".yml") && !strings.HasPrefix(name, ".")
}

// readFile reads one Compose file. Messages name it by shown.
func readFile(ctx context.Context, path, shown string) (*spec.Assignment, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, errors.Unwrap(err))
	}
	if !info.Mode().IsRegular() || info.Size() > maxDeclaration {
		return nil, fmt.Errorf("%s: not a file of at most %d KiB", shown, maxDeclaration>>10)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", shown, errors.Unwrap(err))
	}
	result, err := assignment.ReadFile(ctx, shown, text, assignment.Directory{Path: filesDir, Files: os.DirFS(filepath.Dir(path))})
	if err != nil {
		return nil, err
	}
	return result.Assignment, nil
}
