// Package needs checks that a host has what a container needs: its env files, the
// files of its secrets, devices, directories and OCI runtime, and an image for the host's platform. It
// changes nothing on the host.
package needs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/spec"
)

// checkTimeout bounds a check. A path on a dead network file system blocks for
// ever.
const checkTimeout = 10 * time.Second

// Check returns an error for everything on the host that the container needs and
// that is not there. hidden are directories that the caller sees otherwise than
// Docker does, such as a private /tmp; paths below them are not checked.
func Check(ctx context.Context, c *spec.Container, hidden ...string) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		done <- errors.Join(checkEnvFiles(c, hidden), checkFiles(c, hidden), checkDevices(c, hidden), checkBinds(c, hidden))
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("check the files of container %q: a file system does not answer: %w", c.Name, ctx.Err())
	}
}

func checkEnvFiles(c *spec.Container, hidden []string) error {
	var errs []error
	for _, file := range c.EnvFiles {
		if !isBelow(file.Path, hidden) {
			_, err := ReadEnvFile(file, c.EnvGrants)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// checkFiles checks the secrets and configs that are files of the host.
func checkFiles(c *spec.Container, hidden []string) error {
	hidden = append(comingMounts(c), hidden...)
	var errs []error
	for _, file := range c.Files {
		if file.Path == "" || isBelow(file.Path, hidden) {
			continue
		}
		if _, err := ReadFile(file.Path, c.FileGrants); err != nil {
			hint := "change file: of the secret or config"
			if c.FileGrants == nil && errors.Is(err, fs.ErrNotExist) {
				hint = "create it, or " + hint
			}
			errs = append(errs, fmt.Errorf("the file for %s in the container: %w (%s)", file.Target, err, hint))
		}
	}
	return errors.Join(errs...)
}

func checkDevices(c *spec.Container, hidden []string) error {
	var errs []error
	for _, device := range c.HostConfig.Devices {
		if path := device.PathOnHost; isMissing(path, hidden) {
			errs = append(errs, cure.ByFile(fmt.Errorf("the host has no device %q (connect it, load its driver, or remove it from devices)", path), path))
		}
	}
	return errors.Join(errs...)
}

// checkBinds checks the directories and files that Docker does not create.
func checkBinds(c *spec.Container, hidden []string) error {
	hidden = append(comingMounts(c), hidden...)
	var errs []error
	for _, m := range c.HostConfig.Mounts {
		creates := m.BindOptions != nil && m.BindOptions.CreateMountpoint
		if m.Type == mount.TypeBind && !creates && isMissing(m.Source, hidden) {
			err := fmt.Errorf("the host has no %q to mount at %q (create it, or set create_host_path: true)", m.Source, m.Target)
			errs = append(errs, cure.ByFile(err, m.Source))
		}
	}
	return errors.Join(errs...)
}

// comingMounts returns where systemd mounts something before the container
// starts.
func comingMounts(c *spec.Container) []string {
	var paths []string
	for _, m := range c.Mounts {
		paths = append(paths, m.Where)
	}
	for _, setting := range c.Unit {
		if setting.Section == "Unit" && setting.Key == "RequiresMountsFor" {
			paths = append(paths, strings.Fields(setting.Value)...)
		}
	}
	return paths
}

// isMissing reports whether a path does not exist. A path that cannot be looked at
// may exist.
func isMissing(path string, hidden []string) bool {
	if isBelow(path, hidden) {
		return false
	}
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// isBelow reports whether a path is one of some directories, or below it.
func isBelow(path string, directories []string) bool {
	path = filepath.Clean(path)
	for _, directory := range directories {
		if path == directory || strings.HasPrefix(path, strings.TrimSuffix(directory, "/")+"/") {
			return true
		}
	}
	return false
}

// Runtime returns an error if the declared OCI runtime is neither registered with
// Docker nor a program in PATH. runtimes maps the registered names to paths.
func Runtime(c *spec.Container, runtimes map[string]string) error {
	name := c.Runtime
	if _, registered := runtimes[name]; name == "" || registered {
		return nil
	}
	if _, err := exec.LookPath(name); err != nil {
		err := fmt.Errorf("runtime %q is neither registered with Docker nor a program in PATH (install it, or add it to runtimes in /etc/docker/daemon.json)", name)
		return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "daemon"})
	}
	return nil
}
