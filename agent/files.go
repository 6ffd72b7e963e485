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

// filesDir is where an administrator, or the maker of an image, puts Compose
// files: each *.yaml or *.yml in it.
const filesDir = "/etc/dockhost/containers"

// readFiles returns what the files declare, by file name, and what is wrong
// with them. A file that is wrong anywhere leaves what it declared before in
// force; one that is gone ends it.
func (a *Agent) readFiles(ctx context.Context, kept *accepted) (map[string]spec.Assignment, []string) {
	before := map[string]spec.Assignment{}
	if kept != nil {
		before = kept.Files
	}
	dir := filepath.Join(a.Root, filesDir)
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
		if errors.Is(err, fs.ErrNotExist) { // removed just now
			continue
		}
		if err != nil {
			wrong = append(wrong, problems(err)...)
			if old, known := before[name]; known {
				files[name] = old
			}
			continue
		}
		files[name] = *assignment
	}
	return files, wrong
}

// isComposeFile leaves out what editors and package managers put beside a file.
func isComposeFile(name string) bool {
	extension := filepath.Ext(name)
	return (extension == ".yaml" || extension == ".yml") && !strings.HasPrefix(name, ".")
}

// readFile reads one Compose file. shown is its path in messages.
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
	result, err := assignment.ReadFile(ctx, shown, text)
	if err != nil {
		return nil, err
	}
	return result.Assignment, nil
}
