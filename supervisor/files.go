package supervisor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/needs"
)

// writeFiles writes the secrets and configs of a container into the run directory,
// which is in memory. It returns their directory, "" for none. Files of an earlier
// start are removed first. credentials is the directory of the unit's credentials.
func writeFiles(dir rundir.Dir, c *spec.Container, credentials string) (string, error) {
	if len(c.Files) == 0 || c.Name == "" {
		return "", nil
	}
	if err := dir.RemoveFiles(c.Name); err != nil {
		return "", fmt.Errorf("remove the old secrets: %w", err)
	}
	path := dir.FilesDir(c.Name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", fmt.Errorf("write the secrets: %w", err)
	}
	for i, file := range c.Files {
		content, err := fileContent(&file, c.FileGrants, credentials)
		if err == nil {
			err = writeFile(filepath.Join(path, strconv.Itoa(i)), content, &file)
		}
		if err != nil {
			return "", errors.Join(fmt.Errorf("write %s for the container: %w", file.Target, err), dir.RemoveFiles(c.Name))
		}
	}
	return path, nil
}

func writeFile(path string, content []byte, file *spec.File) error {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return err
	}
	if file.UID != 0 || file.GID != 0 {
		if err := os.Chown(path, file.UID, file.GID); err != nil {
			return err
		}
	}
	mode := os.FileMode(spec.DefaultFileMode)
	if file.Mode != 0 {
		mode = os.FileMode(file.Mode)
	}
	return os.Chmod(path, mode)
}

// fileContent returns the text of a secret or config. A file of the host has to be in the
// grants; nil grants all.
func fileContent(file *spec.File, grants *beneath.Grants, credentials string) ([]byte, error) {
	switch {
	case file.Credential != "":
		if credentials == "" {
			return nil, needs.MissingCredential(file.Credential)
		}
		raw, err := needs.ReadFile(filepath.Join(credentials, file.Credential), nil)
		if errors.Is(err, fs.ErrNotExist) {
			err = needs.MissingCredential(file.Credential)
		}
		return raw, err
	case file.Path != "":
		return needs.ReadFile(file.Path, grants)
	}
	return file.Content, nil
}
