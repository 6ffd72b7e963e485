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

// loginFor returns what the Engine is sent, from the first file that has a login
// for the registry of ref. Whoever must be asked for it is asked now, so that a
// password may change while the program runs.
func (c *Client) loginFor(ctx context.Context, ref reference.Named) (login, error) {
	host := reference.Domain(ref)
	auth, err := c.Login(ctx, ref)
	if err != nil || auth == (configtypes.AuthConfig{}) {
		return login{registry: host}, err
	}
	return encodeLogin(host, auth)
}

// Login returns the login for the registry of ref, a secret, as a config.json
// has it; zero where there is none.
func (c *Client) Login(ctx context.Context, ref reference.Named) (configtypes.AuthConfig, error) {
	host := reference.Domain(ref)
	key := configKey(host)
	for _, source := range c.logins {
		file, err := source.load()
		if err != nil {
			return configtypes.AuthConfig{}, err
		}
		auth, err := c.ask(ctx, file, key)
		if err != nil {
			return configtypes.AuthConfig{}, fmt.Errorf("the login for %s, as %s has it: %w", host, source.Path, err)
		}
		if auth != (configtypes.AuthConfig{ServerAddress: auth.ServerAddress}) {
			return auth, nil
		}
	}
	return configtypes.AuthConfig{}, nil
}

// configKey is what a config.json calls a registry.
func configKey(host string) string {
	if host == "docker.io" {
		return dockerHub
	}
	return host
}

// ask returns the login that a file has for a registry, which may be none.
func (c *Client) ask(ctx context.Context, file *loginFile, key string) (configtypes.AuthConfig, error) {
	own := file.Dockhost[key]
	switch {
	case own.PasswordFile != "":
		password, err := passwordFromFile(own.PasswordFile)
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
	// docker/cli would start a helper without a deadline: it is left with the
	// file, and with DOCKER_AUTH_CONFIG.
	auth, err := plain.GetAuthConfig(key)
	if err != nil || helper == "" || auth != (configtypes.AuthConfig{}) {
		return auth, err
	}
	return askHelper(ctx, helper, key, own.Environment)
}

// loginFile is a config.json, and in it the logins that are this program's own.
// Docker's command takes no notice of these.
type loginFile struct {
	*configfile.ConfigFile
	Dockhost map[string]Login
}

// load reads the file. The parser's own errors quote what they could not read,
// so they are left out.
func (l LoginFile) load() (*loginFile, error) {
	raw, err := os.ReadFile(l.Path)
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

// WriteLogins writes a config.json with these logins, by registry host, to w.
// Docker's command understands those with a password or a helper, and ignores
// the others. The result is a secret.
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

// Login is how to log in to a registry: as Username with one of the passwords,
// or with what is asked for.
type Login struct {
	Username string `json:"username,omitempty"`
	Password string `json:"-"`
	// PasswordFile is read, and PasswordCredential looked for, at each pull.
	PasswordFile       string `json:"password_file,omitempty"`
	PasswordCredential string `json:"password_credential,omitempty"`
	// CredentialHelper is NAME of docker-credential-NAME, which gets
	// Environment beside this program's own.
	CredentialHelper string            `json:"-"`
	Environment      map[string]string `json:"environment,omitempty"`
	// Identity is the cloud that says who this instance is: "gce".
	Identity string `json:"identity,omitempty"`
}
