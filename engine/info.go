package engine

import (
	"context"
	"fmt"
	"slices"
)

// Info describes the Engine.
type Info struct {
	// Version is the Engine's version ("26.1.5+dfsg1").
	Version string
	// Root is the directory of its containers and volumes, usually "/var/lib/docker".
	// ImageRoot is the directory of its images and of what containers write into their
	// file systems: Root, or with containerd's image store usually "/var/lib/containerd".
	Root, ImageRoot string
	// Driver is the storage driver, such as overlay2. Snapshotter says that images
	// are in containerd's image store and that Driver is a snapshotter.
	Driver      string
	Snapshotter bool
	// CgroupDriver is "systemd", "cgroupfs" or "none"; LogDriver is the log driver of
	// containers that name none.
	CgroupDriver, LogDriver string
	// LiveRestore says whether containers keep running while the Engine is down.
	LiveRestore bool
	// Runtimes maps the name of each registered OCI runtime to its path, which is "" for a
	// shim of containerd, RuntimeArgs to the arguments that come before all others
	// (runtimeArgs in daemon.json). DefaultRuntime is the name of the one for containers that
	// name none.
	Runtimes       map[string]string
	RuntimeArgs    map[string][]string
	DefaultRuntime string
	// Mirrors are the mirrors of Docker Hub. InsecureRegistries are hosts and networks
	// whose registries need no certificate. The others are the Engine's proxy
	// settings; passwords in them are masked.
	Mirrors, InsecureRegistries    []string
	HTTPProxy, HTTPSProxy, NoProxy string
}

// askInfo asks the Engine for its version and configuration.
func (c *Client) askInfo(ctx context.Context) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	info, err := c.api().Info(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("ask Docker for its configuration: %w", translate(err))
	}
	runtimes := make(map[string]string, len(info.Runtimes))
	runtimeArgs := map[string][]string{}
	for name, runtime := range info.Runtimes {
		runtimes[name] = runtime.Path
		if len(runtime.Args) > 0 {
			runtimeArgs[name] = runtime.Args
		}
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
	snapshotter := slices.Contains(info.DriverStatus, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
	return Info{
		Mirrors: mirrors, InsecureRegistries: insecure,
		HTTPProxy: info.HTTPProxy, HTTPSProxy: info.HTTPSProxy, NoProxy: info.NoProxy,
		Version: info.ServerVersion, Root: info.DockerRootDir, LiveRestore: info.LiveRestoreEnabled,
		Runtimes: runtimes, RuntimeArgs: runtimeArgs, DefaultRuntime: info.DefaultRuntime,
		CgroupDriver: info.CgroupDriver, LogDriver: info.LoggingDriver,
		Driver: info.Driver, Snapshotter: snapshotter, ImageRoot: imageRoot("", info, snapshotter),
	}, nil
}

// Runtimes maps the name of each OCI runtime that is registered with the Engine to
// its path. The error is a [PodmanError] if Podman answers.
func (c *Client) Runtimes(ctx context.Context) (map[string]string, error) {
	info, err := c.Info(ctx)
	if err != nil {
		return nil, err
	}
	return info.Runtimes, c.checkDocker(ctx)
}
