package needs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dockhost/dockhost/spec"
)

// decryptsSince is the first version of systemd that decrypts credentials.
const decryptsSince = 250

// EncryptedCredentials returns the names of the credentials of a container that the
// host has only in encrypted form.
func EncryptedCredentials(root string, c *spec.Container) []string {
	var encrypted []string
	for _, name := range c.Credentials {
		if findCredential(root, name, false) == "" && findCredential(root, name, true) != "" {
			encrypted = append(encrypted, name)
		}
	}
	return encrypted
}

// findCredential returns the file of a credential that a unit requests by name
// (systemd.exec(5), LoadCredential= and LoadCredentialEncrypted=); "" if the host has
// none.
func findCredential(root, name string, encrypted bool) string {
	dirs := []string{"/run/credentials/@system", "/etc/credstore", "/run/credstore", "/usr/local/lib/credstore", "/usr/lib/credstore"}
	if encrypted {
		dirs = []string{"/run/credentials/@encrypted", "/etc/credstore.encrypted", "/run/credstore.encrypted", "/usr/local/lib/credstore.encrypted", "/usr/lib/credstore.encrypted"}
	}
	for _, dir := range dirs {
		path := filepath.Join(root, dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	return ""
}

// Credentials returns an error for each secret and config of the container whose
// systemd credential its unit would not receive. given are the names of the
// credentials that the files of the unit give it with a value or a path.
func Credentials(root string, c *spec.Container, systemdVersion int, given []string) error {
	var errs []error
	for _, file := range c.Files {
		name := file.Credential
		if name == "" || slices.Contains(given, name) || slices.ContainsFunc(c.Unit, func(s spec.UnitSetting) bool { return gives(s, name) }) {
			continue
		}
		if path := findCredential(root, name, false); path != "" {
			if _, err := ReadFile(path, nil); err != nil {
				errs = append(errs, fmt.Errorf("the credential for %s in the container: %w", file.Target, err))
			}
		} else if findCredential(root, name, true) == "" {
			errs = append(errs, fmt.Errorf("%s in the container: %w", file.Target, MissingCredential(name)))
		} else if systemdVersion < decryptsSince {
			errs = append(errs, fmt.Errorf("%s in the container: systemd %d cannot decrypt the credential %q (write it to /etc/credstore/%[3]s)", file.Target, systemdVersion, name))
		}
	}
	return errors.Join(errs...)
}

// MissingCredential is the error for a credential that the host lacks.
func MissingCredential(name string) error {
	return fmt.Errorf("the host has no credential %q (write it to /etc/credstore/%[1]s, "+
		"or encrypt it: systemd-creds encrypt --name=%[1]s FILE /etc/credstore.encrypted/%[1]s)", name)
}

// gives reports whether a setting gives the unit a credential by value or by path.
func gives(setting spec.UnitSetting, name string) bool {
	switch setting.Key {
	case "SetCredential", "SetCredentialEncrypted", "LoadCredential", "LoadCredentialEncrypted":
		given, _, found := strings.Cut(setting.Value, ":")
		return found && given == name
	}
	return false
}
