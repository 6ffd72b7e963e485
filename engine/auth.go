package engine

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	configtypes "github.com/docker/cli/cli/config/types"
	"github.com/docker/docker/api/types/registry"
)

// dockerHub is the key of Docker Hub's login in a config.json.
const dockerHub = "https://index.docker.io/v1/"

// login is what the Engine is sent with a pull.
type login struct {
	// registry is the host as a person names it.
	registry string
	// username is "" when there is no login; it may be shown.
	username string
	// encoded is the X-Registry-Auth header: a secret.
	encoded string
}

// who says, for an error, as whom a registry was asked.
func (l login) who() string {
	if l.username == "" {
		return fmt.Sprintf("without a login for %s", l.registry)
	}
	return fmt.Sprintf("as %q at %s", l.username, l.registry)
}

// LoginFile is a file with registry logins. One that is not there, or that this
// user may not read, has none.
type LoginFile struct {
	Path string
	// Old says that the file is a .dockercfg, from the time before config.json:
	// logins by registry, and nothing else.
	Old bool
}

// ConfigFile is the config.json of a directory such as ~/.docker.
func ConfigFile(dir string) LoginFile {
	return LoginFile{Path: filepath.Join(dir, config.ConfigFileName)}
}

// loginFor returns the login for the registry of ref, from the first file that
// has one; credential helpers are asked as the docker command asks them.
func (c *Client) loginFor(ref reference.Named) (login, error) {
	host := reference.Domain(ref)
	key := host
	if host == "docker.io" {
		key = dockerHub
	}
	for _, source := range c.logins {
		file, err := source.load()
		if err != nil {
			return login{}, err
		}
		auth, err := file.GetAuthConfig(key)
		if err != nil {
			return login{}, fmt.Errorf("ask %s, which %s names, for the login for %s: %w",
				helper(file, key), source.Path, host, err)
		}
		if auth != (configtypes.AuthConfig{ServerAddress: auth.ServerAddress}) {
			return encodeLogin(host, auth)
		}
	}
	return login{registry: host}, nil
}

// helper is the program that has the login for a registry.
func helper(file *configfile.ConfigFile, key string) string {
	return "docker-credential-" + cmp.Or(file.CredentialHelpers[key], file.CredentialsStore)
}

// load reads the file. The parser's own errors quote what they could not read,
// so they are left out.
func (l LoginFile) load() (*configfile.ConfigFile, error) {
	raw, err := os.ReadFile(l.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return configfile.New(l.Path), nil
	case err != nil:
		return nil, fmt.Errorf("read registry logins: %w", err)
	}
	if l.Old {
		raw = slices.Concat([]byte(`{"auths":`), raw, []byte("}"))
	}
	file, err := config.LoadFromReader(bytes.NewReader(raw))
	switch {
	case err == nil:
		file.Filename = l.Path
		return file, nil
	case l.Old:
		return nil, fmt.Errorf("read registry logins: %s is not a .dockercfg (remove it, and run: docker login)", l.Path)
	default:
		return nil, fmt.Errorf("read registry logins: %s is not a Docker config.json (check it with: docker --config %s info)",
			l.Path, filepath.Dir(l.Path))
	}
}

func encodeLogin(host string, auth configtypes.AuthConfig) (login, error) {
	encoded, err := registry.EncodeAuthConfig(registry.AuthConfig{
		Username:      auth.Username,
		Password:      auth.Password,
		Auth:          auth.Auth,
		ServerAddress: auth.ServerAddress,
		IdentityToken: auth.IdentityToken,
		RegistryToken: auth.RegistryToken,
	})
	if err != nil {
		return login{}, fmt.Errorf("encode the login for %s: %w", host, err)
	}
	username := auth.Username
	if username == "" {
		username = "token"
	}
	return login{registry: host, username: username, encoded: encoded}, nil
}

// WriteLogins writes a config.json with these logins, by registry host, to w.
// The result is a secret.
func WriteLogins(w io.Writer, logins map[string]Login) error {
	file := configfile.New("")
	for host, l := range logins {
		key := host
		if host == "docker.io" {
			key = dockerHub
		}
		file.AuthConfigs[key] = configtypes.AuthConfig{Username: l.Username, Password: l.Password}
	}
	return file.SaveToWriter(w)
}

// Login is a user's name and password at a registry.
type Login struct {
	Username string
	Password string
}
