package engine

import (
	"context"
	"fmt"
	"slices"
)

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
