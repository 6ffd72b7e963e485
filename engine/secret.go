package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/internal/regular"
)

// maxPassword bounds a password in bytes. Tokens have a few kilobytes.
const maxPassword = 64 << 10

// credentialStores returns the directories in which systemd looks for credentials
// that a unit requests by name (systemd.exec(5), LoadCredential=). They belong to
// root.
func credentialStores() []string {
	return []string{"/run/credentials/@system", "/etc/credstore", "/run/credstore", "/usr/lib/credstore"}
}

// passwordFromFile reads a password from a file that only root may read, and that is in the
// grants.
func passwordFromFile(path string, grants *beneath.Grants) (string, error) {
	at, done, err := grants.Path(path)
	if err != nil {
		return "", fmt.Errorf("read the password_file: %w", err)
	}
	defer done()
	file, err := regular.Open(at)
	if err != nil {
		return "", fmt.Errorf("read the password_file %s: %w", path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("read the password_file: %w", err)
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	switch {
	case info.Mode().Perm()&0o077 != 0:
		return "", fmt.Errorf("the password_file %s can be read by users other than its owner (run: chmod 600 %s)", path, path)
	case owner == nil || owner.Uid != 0 && int(owner.Uid) != os.Geteuid():
		return "", fmt.Errorf("the password_file %s does not belong to root (run: chown root %s)", path, path)
	}
	return password(file, "the password_file "+path)
}

// passwordFromCredential reads a systemd credential: one that the unit was given,
// otherwise one of the system.
func (c *Client) passwordFromCredential(name string) (string, error) {
	for _, dir := range c.credentials {
		file, err := regular.Open(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return "", fmt.Errorf("read the credential %q: %w", name, err)
		}
		defer file.Close()
		return password(file, fmt.Sprintf("the credential %q", name))
	}
	return "", fmt.Errorf("the credential %q does not exist (looked in %s; an encrypted one must also be passed to dockhost.service: "+
		"systemctl edit dockhost, LoadCredentialEncrypted=%s)", name, strings.Join(c.credentials, ", "), name)
}

// password reads a password and removes the line break that editors add.
func password(file io.Reader, what string) (string, error) {
	raw, err := io.ReadAll(io.LimitReader(file, maxPassword+1))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", what, err)
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	switch {
	case len(raw) > maxPassword:
		return "", fmt.Errorf("%s is larger than %d KiB", what, maxPassword>>10)
	case text == "":
		return "", fmt.Errorf("%s is empty", what)
	}
	return text, nil
}
