// Package engine is the Docker Engine as this project uses it: pull with
// progress, create, attach, start, wait, stop, inspect, remove. It is the only
// package that imports the Docker client. Every call has a deadline, and every
// error is one of this package's, or wraps one. It knows nothing of systemd,
// user data or GPUs.
package engine

import (
	"context"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"github.com/docker/docker/client"
)

// callTimeout bounds a call that does not wait for a container or an image.
// Creating a container copies the image's volumes, which takes a while on a
// slow disk.
const callTimeout = 2 * time.Minute

// Options say which Engine to talk to and with which logins.
type Options struct {
	// Host is the Engine's address as DOCKER_HOST has it; "" is Docker's own
	// default, unix:///var/run/docker.sock.
	Host string
	// Logins are asked in this order. The first one that has a login for a
	// registry is taken.
	Logins []LoginFile
	// Credentials are directories with systemd credentials, asked in this order.
	Credentials []string
}

// FromEnvironment returns the options that the docker command would take from
// these variables: DOCKER_HOST, and the logins in the [ConfigDir] and in a
// .dockercfg of old. The logins in first, directories with a config.json, come
// before, and then the config.json that systemd hands over as a credential
// (LoadCredential=docker-config:FILE).
func FromEnvironment(getenv func(string) string, first ...string) Options {
	o := Options{Host: getenv("DOCKER_HOST")}
	for _, dir := range first {
		o.Logins = append(o.Logins, ConfigFile(dir))
	}
	o.Credentials = credentialStores()
	if dir := getenv("CREDENTIALS_DIRECTORY"); dir != "" {
		o.Credentials = append([]string{dir}, o.Credentials...)
		o.Logins = append(o.Logins, LoginFile{Path: filepath.Join(dir, "docker-config")})
	}
	o.Logins = append(o.Logins, ConfigFile(ConfigDir(getenv)))
	o.Logins = append(o.Logins, LoginFile{Path: filepath.Join(homeDir(getenv), ".dockercfg"), Old: true})
	return o
}

// ConfigDir is where the docker command has its config.json: DOCKER_CONFIG, or
// .docker in the home directory.
func ConfigDir(getenv func(string) string) string {
	if dir := getenv("DOCKER_CONFIG"); dir != "" {
		return dir
	}
	return filepath.Join(homeDir(getenv), ".docker")
}

func homeDir(getenv func(string) string) string {
	if home := getenv("HOME"); home != "" {
		return home
	}
	// systemd sets no HOME for a service of root's.
	u, err := user.Current()
	if err != nil {
		return "/"
	}
	return u.HomeDir
}

// Client talks to one Engine. It is safe for concurrent use.
type Client struct {
	api         *client.Client
	logins      []LoginFile
	credentials []string
	// metadata is the URL of Google's metadata server.
	metadata string
}

// New returns a client. It does not connect: the API version is negotiated by
// the first call, so that Docker 20.10 to 29 are all spoken to.
func New(o Options) (*Client, error) {
	opts := []client.Opt{client.WithAPIVersionNegotiation()}
	if o.Host != "" {
		opts = append(opts, client.WithHost(o.Host))
	}
	api, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, fmt.Errorf("use Docker at %q: %w", o.Host, err)
	}
	return &Client{api: api, logins: o.Logins, credentials: o.Credentials, metadata: googleMetadata}, nil
}

// Close gives idle connections back.
func (c *Client) Close() error {
	return c.api.Close()
}

// CloseIdle closes the connections that nothing uses, which otherwise wake the
// process up when they have been idle for half a minute.
func (c *Client) CloseIdle() {
	_ = c.api.Close() // which does just that, and has no error
}

// Host is the address that the client talks to.
func (c *Client) Host() string {
	return c.api.DaemonHost()
}

// Ping asks whether the Engine answers. The error is [ErrUnreachable] when it
// does not.
func (c *Client) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	ping, err := c.api.Ping(ctx)
	if err != nil {
		return translate(err)
	}
	// Or the next call would ping once more to learn the version.
	c.api.NegotiateAPIVersionPing(ping)
	return nil
}

// Info is what the Engine says of itself.
type Info struct {
	// Version is the Engine's version ("26.1.5+dfsg1").
	Version string
	// Root is where it keeps images and containers, "/var/lib/docker" mostly.
	Root string
	// Driver is the storage driver, such as overlay2. Snapshotter says that images
	// lie in containerd's store, and Driver is one of its snapshotters.
	Driver      string
	Snapshotter bool
	// LiveRestore says whether containers outlive the Engine.
	LiveRestore bool
	// Runtimes maps the name of each registered OCI runtime to its path.
	Runtimes map[string]string
	// Mirrors are those of Docker Hub, InsecureRegistries hosts and networks
	// whose registries need no certificate, and the rest is by what proxies the
	// Engine asks registries; passwords of these are masked.
	Mirrors, InsecureRegistries    []string
	HTTPProxy, HTTPSProxy, NoProxy string
}

// Info returns what the Engine says of itself.
func (c *Client) Info(ctx context.Context) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := c.api.Info(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("ask Docker for its configuration: %w", translate(err))
	}
	runtimes := make(map[string]string, len(info.Runtimes))
	for name, runtime := range info.Runtimes {
		runtimes[name] = runtime.Path
	}
	var mirrors, insecure []string
	if registries := info.RegistryConfig; registries != nil {
		mirrors = registries.Mirrors
		for _, network := range registries.InsecureRegistryCIDRs {
			insecure = append(insecure, network.String())
		}
		for host, index := range registries.IndexConfigs {
			if !index.Secure {
				insecure = append(insecure, host)
			}
		}
	}
	return Info{
		Mirrors: mirrors, InsecureRegistries: insecure,
		HTTPProxy: info.HTTPProxy, HTTPSProxy: info.HTTPSProxy, NoProxy: info.NoProxy,
		Version: info.ServerVersion, Root: info.DockerRootDir, LiveRestore: info.LiveRestoreEnabled, Runtimes: runtimes,
		Driver: info.Driver, Snapshotter: slices.Contains(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"}),
	}, nil
}

// Runtimes maps the name of each OCI runtime that is registered with the
// Engine to its path.
func (c *Client) Runtimes(ctx context.Context) (map[string]string, error) {
	info, err := c.Info(ctx)
	return info.Runtimes, err
}
