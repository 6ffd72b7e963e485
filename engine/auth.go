package engine

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

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

// loginFor returns the login for the registry of ref, from the first
// directory that has one; credential helpers are asked as the docker command
// asks them.
func (c *Client) loginFor(ref reference.Named) (login, error) {
	host := reference.Domain(ref)
	key := host
	if host == "docker.io" {
		key = dockerHub
	}
	for _, dir := range c.configDirs {
		file, err := loadConfig(dir)
		if err != nil {
			return login{}, err
		}
		if file == nil {
			continue
		}
		auth, err := file.GetAuthConfig(key)
		if err != nil {
			return login{}, fmt.Errorf("find the login for %s with %s: %w", host, file.Filename, err)
		}
		if auth != (configtypes.AuthConfig{ServerAddress: auth.ServerAddress}) {
			return encodeLogin(host, auth)
		}
	}
	return login{registry: host}, nil
}

// loadConfig reads DIR/config.json, or returns nil when there is none. The
// parser's own errors quote what they could not read, so they are left out.
func loadConfig(dir string) (*configfile.ConfigFile, error) {
	path := filepath.Join(dir, config.ConfigFileName)
	if _, err := os.Stat(path); err != nil {
		return nil, nil //nolint:nilerr,nilnil // no readable file is no login
	}
	file, err := config.Load(dir)
	if err != nil {
		return nil, fmt.Errorf("read registry logins: %s is not a Docker config.json (check it with: docker --config %s info)", path, dir)
	}
	return file, nil
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
