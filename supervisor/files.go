package supervisor

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
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
		content, err := fileContent(&file, credentials)
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

// fileContent returns the text of a secret or config.
func fileContent(file *spec.File, credentials string) ([]byte, error) {
	switch {
	case file.Credential != "":
		if credentials == "" {
			return nil, fmt.Errorf("the unit has no credential %q (see: systemd.exec(5), ImportCredential=)", file.Credential)
		}
		return readBounded(filepath.Join(credentials, file.Credential))
	case file.Path != "":
		return readBounded(file.Path)
	}
	return file.Content, nil
}

// readBounded reads a regular file of at most [spec.MaxFile] bytes.
func readBounded(path string) ([]byte, error) {
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
