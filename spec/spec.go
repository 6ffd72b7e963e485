// Package spec says what to run. It turns a declaration (Compose service
// syntax, and later docker run flags and Google's container declaration) into
// a Container: the Docker Engine API's own structs and the settings of the
// systemd unit that supervises it. It is pure: it reads no file, asks no
// daemon and changes nothing, so that everything it refuses can be tested
// without a host.
package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// Assignment is everything that a host is told to run.
type Assignment struct {
	// Containers are sorted by name.
	Containers []Container `json:"containers"`
	// Registries holds the logins by registry host, as an image reference
	// names it ("localhost:5000", "docker.io").
	Registries map[string]Registry `json:"registries,omitempty"`
}

// Registry is a login. It is a secret: it is never logged or shown.
type Registry struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

// Container is one container and the unit that supervises it.
type Container struct {
	// Name is the container's name and the instance name of its unit.
	Name string `json:"name"`
	// Image is the reference as it was declared.
	Image string `json:"image"`
	// Platform is "os/arch[/variant]", or "" for the host's own.
	Platform string `json:"platform,omitempty"`
	// PullPolicy is when the image is pulled.
	PullPolicy PullPolicy `json:"pull_policy"`
	// PullStallTimeout ends a pull during which no byte arrived for so long.
	PullStallTimeout time.Duration `json:"pull_stall_timeout"`
	// Notify is what makes the container ready.
	Notify Notify `json:"notify"`
	// Runtime is the OCI runtime that dockhost-runtime execs; "" is runc.
	Runtime string `json:"runtime,omitempty"`
	// EnvFiles are read by the supervisor each time the container is made.
	EnvFiles []EnvFile `json:"env_files,omitempty"`
	// DependsOn names the containers that are started before this one.
	DependsOn []Dependency `json:"depends_on,omitempty"`
	// Restart is the unit's Restart= ("always", "on-failure", "no"), or ""
	// to leave the unit's own default.
	Restart string `json:"restart,omitempty"`
	// Unit is what the user wants set in the unit, section by section.
	Unit []UnitSetting `json:"unit,omitempty"`

	// Config, HostConfig and Networking go to the Engine as they are, but for
	// the labels, the runtime and the place, which are the supervisor's.
	Config     *container.Config         `json:"config"`
	HostConfig *container.HostConfig     `json:"host_config"`
	Networking *network.NetworkingConfig `json:"networking,omitempty"`
}

// PullPolicy says when an image is pulled, in Compose's words.
type PullPolicy string

// The pull policies. Compose's if_not_present is PullMissing.
const (
	// PullMissing pulls an image that the host does not have.
	PullMissing PullPolicy = "missing"
	// PullAlways asks the registry at each start, and starts the image that
	// the host has when the registry does not answer.
	PullAlways PullPolicy = "always"
	// PullNever runs what the host has, or fails.
	PullNever PullPolicy = "never"
)

// Notify says when a container counts as ready.
type Notify string

// The notify modes.
const (
	// NotifyStarted is ready once the container's process runs.
	NotifyStarted Notify = "started"
	// NotifyHealthy is ready once Docker's HEALTHCHECK passes.
	NotifyHealthy Notify = "healthy"
)

// EnvFile is a file of NAME=VALUE lines on the host.
type EnvFile struct {
	Path string `json:"path"`
	// Required makes a missing file an error.
	Required bool `json:"required"`
	// Format is "" for Compose's own, "raw" for lines taken as they are.
	Format string `json:"format,omitempty"`
}

// Dependency is another container of the same assignment.
type Dependency struct {
	Name string `json:"name"`
	// Joined says that this container lives in namespaces of the other one,
	// so that it cannot outlive it: Requires= rather than Wants=.
	Joined bool `json:"joined,omitempty"`
}

// UnitSetting is one line of a unit file.
type UnitSetting struct {
	Section string `json:"section"`
	Key     string `json:"key"`
	Value   string `json:"value"`
}

// Hash identifies what the container is made of. Two containers with the same
// hash need no restart to become each other: unit settings, which systemd
// takes over on its own, and the order of starting are left out.
func (c *Container) Hash() string {
	made := *c
	made.Unit, made.DependsOn, made.Restart = nil, nil, ""
	raw, err := json.Marshal(made)
	if err != nil {
		// Only channels, functions and cycles cannot be marshalled.
		panic(fmt.Sprintf("marshal container %q: %v", c.Name, err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// CheckReadiness returns an error when the container could never become ready:
// it waits for a healthcheck, and neither it nor its image has one.
func (c *Container) CheckReadiness(imageHasCheck bool) error {
	if c.Notify == NotifyHealthy && c.Config.Healthcheck == nil && !imageHasCheck {
		return fmt.Errorf("notify is healthy, but neither the container nor image %q has a healthcheck (add one, or use notify: started)", c.Image)
	}
	return nil
}
