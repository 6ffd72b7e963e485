package setup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/dockhost/dockhost/internal/regular"
)

// configFile is a daemon.json.
type configFile struct {
	// file is its path with symbolic links resolved, so that links are kept.
	file string
	// info is nil if the file did not exist.
	info fs.FileInfo
	text []byte
}

// readConfig reads a daemon.json. A file that does not exist counts as empty.
func readConfig(path string) (*configFile, error) {
	file, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Lstat(path); err == nil {
			return nil, fmt.Errorf("read %s: it is a symbolic link to a file that does not exist", path)
		}
		return &configFile{file: path}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Docker's configuration: %w", err)
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read Docker's configuration: %w", err)
	}
	text, err := regular.Follow(file, regular.Config)
	if err != nil {
		return nil, fmt.Errorf("read Docker's configuration: %w", err)
	}
	return &configFile{file: file, info: info, text: text}, nil
}

// at puts the file's name before an error that begins with a position.
func (c *configFile) at(err error) error { return fmt.Errorf("%s:%w", c.file, err) }

func (c *configFile) backup() string { return c.file + ".dockhost-backup" }

func (c *configFile) backedUp() bool {
	_, err := os.Lstat(c.backup())
	return err == nil
}

// backUp keeps the file as it was before dockhost first changed it. It does nothing if
// the file did not exist or registers the runtime already. The backup is a hard link,
// which keeps the old text when the file is replaced.
func (c *configFile) backUp() error {
	if path, err := registered(c.text); c.info == nil || err != nil || path != "" {
		return err
	}
	if err := os.Link(c.file, c.backup()); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("back up Docker's configuration: %w", err)
	}
	return nil
}

// replace validates text, backs up the original, and then replaces the file atomically.
// The new file has the mode and owner of the old one.
func (c *configFile) replace(ctx context.Context, text []byte, validate func(ctx context.Context, file string) error) error {
	dir := filepath.Dir(c.file)
	if err := os.MkdirAll(dir, 0o755); err != nil { // #nosec G301 -- /etc/docker is world-readable
		return fmt.Errorf("write Docker's configuration: %w", err)
	}
	tmp, err := c.writeBeside(text)
	if err != nil {
		return fmt.Errorf("write Docker's configuration: %w", err)
	}
	defer func() { _ = os.Remove(tmp) }() // renamed after a success
	if err := validate(ctx, tmp); err != nil {
		return fmt.Errorf("change %s: %w", c.file, err)
	}
	if err := c.backUp(); err != nil {
		return err
	}
	if err := os.Rename(tmp, c.file); err != nil {
		return fmt.Errorf("write Docker's configuration: %w", err)
	}
	return syncDir(dir)
}

// writeBeside writes text to a temporary file in the same directory, with the same mode
// and owner, and returns its name.
func (c *configFile) writeBeside(text []byte) (name string, err error) {
	tmp, err := os.CreateTemp(filepath.Dir(c.file), ".daemon-*.json")
	if err != nil {
		return "", err
	}
	defer func() {
		if closeErr := tmp.Close(); err == nil {
			err = closeErr
		}
		if err != nil {
			_ = os.Remove(tmp.Name())
		}
	}()
	if err := c.dress(tmp); err != nil {
		return "", err
	}
	if _, err := tmp.Write(text); err != nil {
		return "", err
	}
	return tmp.Name(), tmp.Sync()
}

// dress gives f the file's owner and mode, or those of a new daemon.json.
func (c *configFile) dress(f *os.File) error {
	if c.info == nil {
		return f.Chmod(0o644)
	}
	if owner, ok := c.info.Sys().(*syscall.Stat_t); ok {
		if err := f.Chown(int(owner.Uid), int(owner.Gid)); err != nil {
			return err
		}
	}
	return f.Chmod(c.info.Mode().Perm())
}

func (c *configFile) remove() error {
	if err := os.Remove(c.file); err != nil {
		return fmt.Errorf("remove Docker's configuration: %w", err)
	}
	return syncDir(filepath.Dir(c.file))
}

// syncDir makes a rename or removal in dir survive a power cut.
func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	err = f.Sync()
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
