// Package request is what the Engine is asked for on behalf of a container:
// what was declared, and what makes the container its unit's. It is pure, for
// the supervisor, which sends it, and for `dockhostctl render`, which shows it.
package request

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// Labels of the containers that dockhost makes.
const (
	// LabelUnit names the systemd unit that the container belongs to.
	LabelUnit = "dockhost.unit"
	// LabelSupervisor identifies the process that made it.
	LabelSupervisor = "dockhost.supervisor"
	// LabelConfigHash is the [spec.Container.Hash] it was made of.
	LabelConfigHash = "dockhost.config-hash"
)

const (
	// NotifyTarget is where a container with notify: container finds the socket.
	NotifyTarget = "/run/dockhost/notify.sock"
	// SocketPrefix and a pid are the name of that socket on the host, in the
	// directory of placements.
	SocketPrefix = "notify-"
)

// Host is what of a request is known on the host alone.
type Host struct {
	// Unit is the supervisor's systemd unit, "" where it runs in none.
	Unit string
	// Supervisor identifies the supervisor.
	Supervisor string
	// ConfigHash is the container's hash.
	ConfigHash string
	// FileEnv are the variables of the container's env files: NAME=VALUE.
	FileEnv []string
	// NotifySocket is the socket that the container speaks to, "" for none.
	NotifySocket string
	// Watchdog is how often it is to do so, 0 where nobody waits for it.
	Watchdog time.Duration
}

// Make returns the request. It changes nothing of the container.
func Make(c *spec.Container, h Host) engine.CreateRequest {
	config, host := *c.Config, *c.HostConfig
	// The declared variables come last and win, as Compose has it.
	config.Env = append(slices.Clone(h.FileEnv), config.Env...)
	config.Labels = maps.Clone(config.Labels)
	if config.Labels == nil {
		config.Labels = map[string]string{}
	}
	config.Labels[LabelConfigHash] = h.ConfigHash
	config.Labels[LabelSupervisor] = h.Supervisor
	host.Runtime = c.Runtime
	if h.Unit != "" {
		config.Labels[LabelUnit] = h.Unit
		host.Runtime = spec.RuntimeName
		host.CgroupParent = placement.CgroupParent(h.Unit)
	}
	if h.NotifySocket != "" {
		addSocket(&config, &host, h)
	}
	host.RestartPolicy = container.RestartPolicy{Name: container.RestartPolicyDisabled}
	return engine.CreateRequest{
		Name: c.Name, Platform: c.Platform, Config: &config, HostConfig: &host, Networking: c.Networking,
	}
}

// addSocket gives the container what sd_notify(3) looks for.
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
