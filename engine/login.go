package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/distribution/reference"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
	configtypes "github.com/docker/cli/cli/config/types"
	"github.com/docker/docker/api/types/registry"

	"github.com/dockhost/dockhost/internal/beneath"
	"github.com/dockhost/dockhost/internal/regular"
)

// dockerHub is Docker Hub's key in a config.json.
const dockerHub = "https://index.docker.io/v1/"

// login is the login that a pull sends to the Engine.
type login struct {
	// registry is the registry's host.
	registry string
	// username is "" without a login. It is not secret.
	username string
	// encoded is the X-Registry-Auth header: a secret.
	encoded string
}

// who describes the login for an error.
func (l login) who() string {
	if l.username == "" {
		return fmt.Sprintf("without a login for %s", l.registry)
	}
	return fmt.Sprintf("as %q at %s", l.username, l.registry)
}

// LoginFile is a file with registry logins. A file that does not exist, or that this
// user may not read, counts as empty.
type LoginFile struct {
	Path string
	// Old says that the file is a .dockercfg, the predecessor of config.json, which
	// has only logins by registry.
	Old bool
}

// ConfigFile returns the config.json of a directory such as ~/.docker.
func ConfigFile(dir string) LoginFile {
	return LoginFile{Path: filepath.Join(dir, config.ConfigFileName)}
}

// loginFor returns the login for the registry of ref, from the first file that has
// one. It reads password files and runs credential helpers each time, so that a
// password may change while the program runs.
func (c *Client) loginFor(ctx context.Context, ref reference.Named) (login, error) {
	host := reference.Domain(ref)
	auth, err := c.Login(ctx, ref)
	if err != nil || auth == (configtypes.AuthConfig{}) {
		return login{registry: host}, err
	}
	return encodeLogin(host, auth)
}

// Login returns the login for the registry of ref in the form of a config.json, or
// the zero value without one. It is a secret.
func (c *Client) Login(ctx context.Context, ref reference.Named) (configtypes.AuthConfig, error) {
	host := reference.Domain(ref)
	key := configKey(host)
	for _, source := range c.logins {
		file, err := source.load()
		if err != nil {
			return configtypes.AuthConfig{}, err
		}
		auth, err := c.lookup(ctx, file, key)
		if err != nil {
			return configtypes.AuthConfig{}, fmt.Errorf("get the login for %s from %s: %w", host, source.Path, err)
		}
		if auth != (configtypes.AuthConfig{ServerAddress: auth.ServerAddress}) {
			return auth, nil
		}
	}
	return configtypes.AuthConfig{}, nil
}

// loginPaths returns the files that the login for a registry depends on.
func (c *Client) loginPaths(host string) []string {
	var paths []string
	for _, source := range c.logins {
		paths = append(paths, source.Path)
		file, err := source.load()
		if err != nil {
			continue
		}
		own := file.Dockhost[configKey(host)]
		if own.PasswordFile != "" {
			paths = append(paths, own.PasswordFile)
		}
		if own.PasswordCredential != "" {
			for _, dir := range c.credentials {
				paths = append(paths, filepath.Join(dir, own.PasswordCredential))
			}
		}
	}
	return paths
}

// configKey returns the key of a registry in a config.json.
func configKey(host string) string {
	if host == "docker.io" {
		return dockerHub
	}
	return host
}

// lookup returns a file's login for a registry, or the zero value without one.
func (c *Client) lookup(ctx context.Context, file *loginFile, key string) (configtypes.AuthConfig, error) {
	own := file.Dockhost[key]
	switch {
	case own.PasswordFile != "":
		password, err := passwordFromFile(own.PasswordFile, own.PasswordGrants)
		return configtypes.AuthConfig{Username: own.Username, Password: password}, err
	case own.PasswordCredential != "":
		password, err := c.passwordFromCredential(own.PasswordCredential)
		return configtypes.AuthConfig{Username: own.Username, Password: password}, err
	case own.Identity != "":
		return c.identity(ctx, own.Identity)
	}
	helper := cmp.Or(file.CredentialHelpers[key], file.CredentialsStore)
	plain := *file.ConfigFile
	plain.CredentialHelpers, plain.CredentialsStore = nil, ""
	if helper != "" {
		plain.AuthConfigs = nil
	}
	// docker/cli would run a helper without a deadline. So it only looks into the
	// file and into DOCKER_AUTH_CONFIG.
	auth, err := plain.GetAuthConfig(key)
	if err != nil || helper == "" || auth != (configtypes.AuthConfig{}) {
		return auth, err
	}
	return askHelper(ctx, helper, key, own.Environment)
}

// loginFile is a config.json with a section of dockhost's own logins, which the docker
// command ignores.
type loginFile struct {
	*configfile.ConfigFile
	Dockhost map[string]Login
}

// maxLogins bounds the file in bytes.
const maxLogins = 16 << 20

// load reads the file. It replaces the parser's errors, because they quote parts of
// the file.
func (l LoginFile) load() (*loginFile, error) {
	raw, err := regular.Follow(l.Path, maxLogins)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return &loginFile{ConfigFile: configfile.New(l.Path)}, nil
	case err != nil:
		return nil, fmt.Errorf("read registry logins: %w", err)
	}
	if l.Old {
		raw = slices.Concat([]byte(`{"auths":`), raw, []byte("}"))
	}
	file, err := config.LoadFromReader(bytes.NewReader(raw))
	own := loginFile{ConfigFile: file}
	if err == nil {
		err = json.Unmarshal(raw, &struct {
			Dockhost *map[string]Login `json:"dockhost"`
		}{&own.Dockhost})
	}
	switch {
	case err == nil:
		file.Filename = l.Path
		return &own, nil
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

// WriteLogins writes a config.json with these logins, by registry host, to w. The
// docker command understands logins with a password or a helper and ignores the
// others. The text is a secret.
func WriteLogins(w io.Writer, logins map[string]Login) error {
	file := configfile.New("")
	file.CredentialHelpers = map[string]string{}
	own := map[string]Login{}
	for host, l := range logins {
		key := configKey(host)
		switch {
		case l.Password != "":
			file.AuthConfigs[key] = configtypes.AuthConfig{Username: l.Username, Password: l.Password}
		case l.CredentialHelper != "":
			file.CredentialHelpers[key] = l.CredentialHelper
			own[key] = Login{Environment: l.Environment}
		default:
			own[key] = l
		}
	}
	var plain bytes.Buffer
	if err := file.SaveToWriter(&plain); err != nil {
		return err
	}
	all := map[string]any{}
	if err := json.Unmarshal(plain.Bytes(), &all); err != nil {
		return err
	}
	if len(own) > 0 {
		all["dockhost"] = own
	}
	return json.NewEncoder(w).Encode(all)
}

// Login says how to log in to a registry: as Username with one of the passwords, or
// with the answer of a credential helper or cloud.
type Login struct {
	Username string `json:"username,omitempty"`
	Password string `json:"-"`
	// PasswordFile and PasswordCredential are read at each pull. PasswordGrants are where the
	// file may be; nil for everywhere.
	PasswordFile       string          `json:"password_file,omitempty"`
	PasswordGrants     *beneath.Grants `json:"password_grants,omitempty"`
	PasswordCredential string          `json:"password_credential,omitempty"`
	// CredentialHelper is the NAME of docker-credential-NAME. Environment is added to
	// its environment.
	CredentialHelper string            `json:"-"`
	Environment      map[string]string `json:"environment,omitempty"`
	// Identity is the cloud whose instance identity is the login: "gce".
	Identity string `json:"identity,omitempty"`
}
