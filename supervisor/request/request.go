// Package request builds the request that creates a container: its declaration,
// and what ties the container to its unit. It touches nothing, since the
// supervisor sends the request and `dockhostctl render` only shows it.
package request

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// Labels of the containers that dockhost creates.
const (
	// LabelUnit names the systemd unit that the container belongs to.
	LabelUnit = "dockhost.unit"
	// LabelSupervisor identifies the process that created it.
	LabelSupervisor = "dockhost.supervisor"
	// LabelConfigHash is the [spec.Container.Hash] of its declaration.
	LabelConfigHash = "dockhost.config-hash"
)

const (
	// NotifyTarget is the path of the notify socket in a container with notify:
	// container.
	NotifyTarget = "/run/dockhost/notify.sock"
	// SocketPrefix and the supervisor's pid are the name of that socket on the host,
	// in the directory of placements.
	SocketPrefix = "notify-"
)

// Host is the part of a request that is known only on the host.
type Host struct {
	// Image is the reference of the image that a container is pinned to; "" for the
	// declared one.
	Image string
	// Unit is the supervisor's systemd unit; "" if it does not run in one.
	Unit string
	// Supervisor identifies the supervisor's process.
	Supervisor string
	// ConfigHash is the container's hash.
	ConfigHash string
	// FileEnv are the variables of the container's env files: NAME=VALUE.
	FileEnv []string
	// NotifySocket is the path of the notify socket on the host; "" for none.
	NotifySocket string
	// Watchdog is the unit's WatchdogSec=, which the container then has to meet; 0
	// for none.
	Watchdog time.Duration
	// Stdin says that the supervisor relays its standard input, and closes the
	// container's at the end.
	Stdin bool
	// FilesDir has the secrets and configs of the container; "" for none.
	FilesDir string
	// AnonymousVolumes are the container's [spec.Container.AnonymousVolumes].
	AnonymousVolumes []string
	// InheritedVolumes are the mounts from the images of [spec.Container.VolumesFrom].
	InheritedVolumes []mount.Mount
	// KeptVolumes are the anonymous volumes of the container that this one replaces,
	// by path.
	KeptVolumes map[string]string
	// Logging replaces the container's logging configuration; nil keeps it.
	Logging *container.LogConfig
}

// Make returns the request. It does not change c.
func Make(c *spec.Container, h Host) engine.CreateRequest {
	config, host := volumes(c, h)
	grantedBinds(&host, c.Granted)
	if h.Image != "" {
		config.Image = h.Image
	}
	config.Env = append(notOverridden(h.FileEnv, config.Env), config.Env...)
	config.Labels = maps.Clone(config.Labels)
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	config.Labels[LabelConfigHash] = h.ConfigHash
	config.Labels[LabelSupervisor] = h.Supervisor
	config.AttachStdin, config.StdinOnce = h.Stdin, h.Stdin
	host.Runtime = c.Runtime
	if h.Unit != "" {
		config.Labels[LabelUnit] = h.Unit
		host.Runtime = spec.RuntimeName
		host.CgroupParent = placement.CgroupParent(h.Unit)
	}
	if h.NotifySocket != "" {
		addSocket(&config, &host, h)
	}
	if len(h.InheritedVolumes) > 0 {
		host.Mounts = append(slices.Clone(host.Mounts), h.InheritedVolumes...)
	}
	if h.Logging != nil {
		host.LogConfig = *h.Logging
	}
	if h.FilesDir != "" {
		host.Mounts = append(slices.Clone(host.Mounts), fileMounts(c.Files, h.FilesDir)...)
	}
	host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	return engine.CreateRequest{
		Name: c.DockerName(), Platform: c.Platform, Config: &config, HostConfig: &host, Networking: c.Networking,
	}
}

// volumes returns the container's configurations with names for its anonymous
// volumes, so that their data outlives the container. Those of an assigned container
// have stable names. `dockhost run` without --rm continues with the volumes of the
// container that it replaces; with --rm they end with the container, as for `docker
// run`.
func volumes(c *spec.Container, h Host) (container.Config, container.HostConfig) {
	name := func(path string) string { return spec.VolumeName(c.Name, path) }
	labels := func(path string) map[string]string {
		return map[string]string{spec.LabelVolumeContainer: c.Name, spec.LabelVolumePath: path}
	}
	if c.Run != nil {
		name = func(path string) string { return h.KeptVolumes[path] }
		labels = func(string) map[string]string { return nil }
	}
	config, host := spec.NameVolumes(c.Config, c.HostConfig, h.AnonymousVolumes, name, labels)
	return *config, *host
}

// notOverridden returns the variables of env files that neither a later file nor the
// declaration sets, as in Compose.
func notOverridden(files, declared []string) []string {
	set := map[string]bool{}
	name := func(variable string) string {
		name, _, _ := strings.Cut(variable, "=")
		return name
	}
	for _, variable := range declared {
		set[name(variable)] = true
	}
	var kept []string
	for _, variable := range slices.Backward(files) {
		if !set[name(variable)] {
			set[name(variable)] = true
			kept = append(kept, variable)
		}
	}
	slices.Reverse(kept)
	return kept
}

// fileMounts are the mounts of the secrets and configs.
func fileMounts(files []spec.File, dir string) []mount.Mount {
	var mounts []mount.Mount
	for i, file := range files {
		mounts = append(mounts, mount.Mount{
			Type: mount.TypeBind, Source: path.Join(dir, strconv.Itoa(i)), Target: file.Target, ReadOnly: true,
		})
	}
	return mounts
}

// addSocket gives the container the socket and the variables of sd_notify(3).
func addSocket(config *container.Config, host *container.HostConfig, h Host) {
	config.Env = slices.DeleteFunc(config.Env, func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return name == "NOTIFY_SOCKET" || name == "WATCHDOG_USEC" || name == "WATCHDOG_PID"
	})
	config.Env = append(config.Env, "NOTIFY_SOCKET="+NotifyTarget)
	if h.Watchdog > 0 {
		config.Env = append(config.Env, fmt.Sprintf("WATCHDOG_USEC=%d", h.Watchdog.Microseconds()))
	}
	host.Mounts = append(slices.Clone(host.Mounts), mount.Mount{Type: mount.TypeBind, Source: h.NotifySocket, Target: NotifyTarget})
}
