package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/docker/docker/client"

	"github.com/dockhost/dockhost/internal/regular"
)

// Access has the variables of the docker command that say how to reach the Engine,
// besides DOCKER_HOST. The zero value is Docker's default.
type Access struct {
	// Context is DOCKER_CONTEXT. It has no effect with DOCKER_HOST.
	Context string
	// APIVersion is DOCKER_API_VERSION; "" means that the first call negotiates it.
	APIVersion string
	// TLS is DOCKER_TLS, TLSVerify DOCKER_TLS_VERIFY; "" means off. CertPath is
	// DOCKER_CERT_PATH, "" for the ConfigDir. They have an effect on tcp:// alone.
	TLS, TLSVerify, CertPath string
	// ConfigDir is the directory of the docker command's configuration.
	ConfigDir string
}

// accessFrom returns what the docker command would take from the environment.
func accessFrom(getenv func(string) string) Access {
	return Access{
		Context: getenv("DOCKER_CONTEXT"), APIVersion: getenv("DOCKER_API_VERSION"),
		TLS: getenv("DOCKER_TLS"), TLSVerify: getenv("DOCKER_TLS_VERIFY"), CertPath: getenv("DOCKER_CERT_PATH"),
		ConfigDir: ConfigDir(getenv),
	}
}

// client returns the options of the Docker client.
func (o Options) client() ([]client.Opt, error) {
	a, host := o.Access, o.Host
	opts := []client.Opt{client.WithAPIVersionNegotiation()}
	if a.APIVersion != "" {
		opts = append(opts, client.WithVersion(a.APIVersion))
	}
	if host == "" && a.Context != "" && a.Context != "default" {
		var err error
		if host, err = a.contextHost(); err != nil {
			return nil, err
		}
	}
	if scheme, _, found := strings.Cut(host, "://"); found && scheme != "unix" && scheme != "tcp" && scheme != "http" && scheme != "https" {
		return nil, fmt.Errorf("DOCKER_HOST: cannot use %q: dockhost uses the Docker of its own host (write unix:// or tcp://, or remove the variable)", host)
	}
	if strings.HasPrefix(host, "tcp://") {
		tls, err := a.tls()
		if err != nil {
			return nil, err
		}
		opts = append(opts, tls...)
	}
	if host != "" {
		opts = append(opts, client.WithHost(host))
	}
	return opts, nil
}

// contextHost returns the address in a context of the docker command. Only this host's
// Docker can run a container in a unit of this host.
func (a Access) contextHost() (string, error) {
	sum := sha256.Sum256([]byte(a.Context))
	raw, err := regular.Follow(filepath.Join(a.ConfigDir, "contexts/meta", hex.EncodeToString(sum[:]), "meta.json"), regular.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("DOCKER_CONTEXT: the context %q does not exist in %s (see: docker context ls)", a.Context, a.ConfigDir)
	}
	if err != nil {
		return "", fmt.Errorf("DOCKER_CONTEXT: %w", err)
	}
	var meta struct {
		Endpoints map[string]struct{ Host string }
	}
	if err := json.Unmarshal(raw, &meta); err != nil {
		return "", fmt.Errorf("DOCKER_CONTEXT: the context %q: %w", a.Context, err)
	}
	host := meta.Endpoints["docker"].Host
	if host != "" && !strings.HasPrefix(host, "unix://") {
		return "", fmt.Errorf("DOCKER_CONTEXT: the context %q is Docker at %s, and dockhost uses the Docker of its own host (remove the variable)", a.Context, host)
	}
	return host, nil
}

// tls returns the options for an Engine that has a certificate.
func (a Access) tls() ([]client.Opt, error) {
	if a.TLSVerify == "" {
		if a.TLS != "" {
			return nil, errors.New("DOCKER_TLS: it does not verify who answers as Docker (set DOCKER_TLS_VERIFY=1 instead)")
		}
		return nil, nil
	}
	dir := a.CertPath
	if dir == "" {
		dir = a.ConfigDir
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	return []client.Opt{client.WithTLSClientConfig(file("ca.pem"), file("cert.pem"), file("key.pem"))}, nil
}

// CurrentContext returns the context that `docker context use` has chosen; "" for the
// default one. dockhost does not follow it: it is meant for the docker command.
func CurrentContext(getenv func(string) string) string {
	var config struct {
		CurrentContext string `json:"currentContext"`
	}
	raw, err := regular.Follow(filepath.Join(ConfigDir(getenv), "config.json"), regular.Config)
	if err != nil || json.Unmarshal(raw, &config) != nil || config.CurrentContext == "default" {
		return "" // the reader of the logins reports a wrong file
	}
	return config.CurrentContext
}
