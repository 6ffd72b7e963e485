package spec

import (
	"cmp"
	"fmt"

	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/internal/cure"
)

// DockerName is the name of the container in Docker.
func (c *Container) DockerName() string { return cmp.Or(c.ContainerName, c.Name) }

// LabelMade marks the networks and the named volumes that dockhost made. Only a network
// with this label is removed once nothing needs it.
const LabelMade = "dockhost.made"

// The labels of a network or volume of a Compose project. Compose takes one with these
// labels for its own.
const (
	LabelProject = "com.docker.compose.project"
	LabelNetwork = "com.docker.compose.network"
	LabelVolume  = "com.docker.compose.volume"
)

// DefaultNetwork is the network of the containers of user data that has no project
// name. The name of a Compose project has no dot, so no project has this network.
const DefaultNetwork = "dockhost.default"

// Network is a network that the container is connected to and that the supervisor
// creates if it does not exist.
type Network struct {
	// Name is its name in Docker: PROJECT_NAME for a network of a Compose project.
	Name string `json:"name"`
	// External is true if the network must exist already.
	External bool `json:"external,omitempty"`
	// Driver is "" for bridge.
	Driver     string            `json:"driver,omitempty"`
	Internal   bool              `json:"internal,omitempty"`
	Attachable bool              `json:"attachable,omitempty"`
	EnableIPv6 bool              `json:"enable_ipv6,omitempty"`
	IPAM       *network.IPAM     `json:"ipam,omitempty"`
	Options    map[string]string `json:"options,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
}

// Volume is a named volume that the container mounts and that the supervisor creates
// if it does not exist.
type Volume struct {
	// Name is its name in Docker: PROJECT_NAME for a volume of a Compose project.
	Name string `json:"name"`
	// External is true if the volume must exist already.
	External bool `json:"external,omitempty"`
	// Driver is "" for local.
	Driver  string            `json:"driver,omitempty"`
	Options map[string]string `json:"options,omitempty"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// File is a secret or a config: a file that the supervisor writes into memory at each
// start and mounts read-only into the container. It has one of Content, Path and
// Credential.
type File struct {
	// Config is true for a config, false for a secret.
	Config bool `json:"config,omitempty"`
	// Target is the absolute path in the container.
	Target string `json:"target"`
	// Content is the file's text. It is a secret.
	Content []byte `json:"content,omitempty"`
	// Path is a file of the host.
	Path string `json:"path,omitempty"`
	// Credential names a systemd credential of the unit.
	Credential string `json:"credential,omitempty"`
	// UID, GID and Mode are the owner and the permissions of the file. Mode 0 is
	// DefaultFileMode.
	UID  int    `json:"uid,omitempty"`
	GID  int    `json:"gid,omitempty"`
	Mode uint32 `json:"mode,omitempty"`
}

// DefaultFileMode are the permissions of a [File] without a mode.
const DefaultFileMode = 0o444

// MaxFile bounds the size of a [File], as Swarm does.
const MaxFile = 500 << 10

// Hook is a command that the supervisor runs in the container.
type Hook struct {
	Command    []string `json:"command"`
	User       string   `json:"user,omitempty"`
	WorkingDir string   `json:"working_dir,omitempty"`
	Env        []string `json:"env,omitempty"`
	Privileged bool     `json:"privileged,omitempty"`
}

// MissingNetwork is the error for a network that must exist and does not.
func MissingNetwork(name string) error {
	err := fmt.Errorf("network %q does not exist (create it: docker network create %s)", name, name)
	return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "network"})
}

// MissingVolume is the error for a volume that must exist and does not.
func MissingVolume(name string) error {
	err := fmt.Errorf("volume %q does not exist (create it: docker volume create %s)", name, name)
	return cure.By(err, cure.Cure{Kind: cure.Docker, Name: "volume"})
}

// OnDefaultNetwork reports whether the container is only on the network that its
// project has without declaring one.
func (c *Container) OnDefaultNetwork() bool {
	if len(c.Networks) != 1 {
		return false
	}
	n := c.Networks[0]
	plain := !n.External && !n.Internal && !n.EnableIPv6 && n.IPAM == nil && len(n.Options) == 0
	return plain && (n.Name == DefaultNetwork || n.Labels[LabelNetwork] == "default")
}

// WithNetworksOf returns a copy of the container that is on the networks of another
// one.
func (c *Container) WithNetworksOf(other *Container) *Container {
	moved, host := *c, *c.HostConfig
	host.NetworkMode = other.HostConfig.NetworkMode
	moved.HostConfig, moved.Networks, moved.Networking = &host, other.Networks, other.Networking
	return &moved
}
