package agent

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dockhost/dockhost/agent/dropin"
	"github.com/dockhost/dockhost/internal/atomicfile"
	"github.com/dockhost/dockhost/internal/regular"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/spec/needs"
)

// dropIns are the drop-ins of dockhost@NAME.service.
type dropIns struct {
	root string
}

// write writes the drop-in of a container, and says whether it has changed.
func (f dropIns) write(c *spec.Container, systemdVersion int) (bool, error) {
	text, err := dropin.Render(c, systemdVersion, needs.EncryptedCredentials(f.root, c)...)
	if err != nil {
		return false, err
	}
	path := f.path(c.Name)
	if old, err := regular.Follow(path, regular.Config); err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	if err := writeUnitFile(path, text); err != nil {
		return false, fmt.Errorf("write drop-in: %w", err)
	}
	return true, nil
}

// writeUnitFile replaces a unit file or drop-in, and makes its directory.
func writeUnitFile(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // everyone may read unit files
		return err
	}
	return atomicfile.Write(path, text, 0o644)
}

// writeTemplate writes the drop-in of all containers, and says whether it has changed.
func (f dropIns) writeTemplate(systemdVersion int) (bool, error) {
	text, path := dropin.Template(systemdVersion), filepath.Join(f.root, dropin.TemplatePath)
	if old, err := regular.Follow(path, regular.Config); text == nil || err == nil && bytes.Equal(old, text) {
		return false, nil
	}
	if err := writeUnitFile(path, text); err != nil {
		return false, fmt.Errorf("write drop-in: %w", err)
	}
	return true, nil
}

// remove removes the drop-in, and its directory when it is empty then.
func (f dropIns) remove(name string) error {
	path := f.path(name)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove drop-in: %w", err)
	}
	_ = os.Remove(filepath.Dir(path))
	return nil
}

// names returns the names of the containers that have a drop-in.
func (f dropIns) names() []string {
	paths, _ := filepath.Glob(f.path("*"))
	var names []string
	for _, path := range paths {
		unit := strings.TrimSuffix(filepath.Base(filepath.Dir(path)), ".d")
		if name, ours := spec.ContainerName(unit); ours {
			names = append(names, name)
		}
	}
	return names
}

func (f dropIns) path(name string) string {
	return filepath.Join(f.root, dropin.Path(name))
}
