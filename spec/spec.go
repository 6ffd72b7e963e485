// Package spec describes what to run, as data. A Container has the structs of
// Docker's API, and settings for its supervisor and its unit. The packages below
// make one from a declaration: spec/compose from a Compose service, spec/dockerrun
// from the flags of docker run. This package must stay small, because every
// supervisor links it.
package spec

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"github.com/dockhost/dockhost/internal/beneath"
)

// Assignment is everything that a host runs.
type Assignment struct {
	// Containers are sorted by name.
	Containers []Container `json:"containers"`
	// Registries has the logins by registry host, as in an image reference
	// ("localhost:5000", "docker.io").
	Registries map[string]Registry `json:"registries,omitempty"`
	// Housekeeping has the settings for it, or is nil.
	Housekeeping *Housekeeping `json:"housekeeping,omitempty"`
	// Warnings name the services that are left out, because their profiles are not
	// active. They are not part of what runs.
	Warnings []string `json:"-"`
}

// Registry is a login. It is a secret, and is never logged or shown. The password
// comes from one of Password, PasswordFile and PasswordCredential. Otherwise the
// whole login comes from CredentialHelper or Identity.
type Registry struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// PasswordFile is a file on the host that only root can read.
	PasswordFile string `json:"password_file,omitempty"`
	// PasswordGrants are where the policy of the host grants such files; nil for everywhere.
	PasswordGrants *beneath.Grants `json:"password_grants,omitempty"`
	// PasswordCredential names a systemd credential.
	PasswordCredential string `json:"password_credential,omitempty"`
	// CredentialHelper is NAME of a program docker-credential-NAME. Environment
	// is added to the program's environment.
	CredentialHelper string            `json:"credential_helper,omitempty"`
	Environment      map[string]string `json:"environment,omitempty"`
	// Identity is the cloud whose instance identity is the login: "gce".
	Identity string `json:"identity,omitempty"`
}

// Container is one container and the unit that supervises it.
type Container struct {
	// Name is the container's name and the instance name of its unit.
	Name string `json:"name"`
	// Image is the reference from the declaration.
	Image string `json:"image"`
	// Pin is the image to run, if it is not the one that Image names now.
	Pin *Pin `json:"pin,omitempty"`
	// Platform is "os/arch[/variant]", or "" for the host's platform.
	Platform string `json:"platform,omitempty"`
	// PullPolicy decides when the image is pulled.
	PullPolicy PullPolicy `json:"pull_policy"`
	// PullStallTimeout stops a pull that received no bytes for this time.
	PullStallTimeout time.Duration `json:"pull_stall_timeout"`
	// Notify defines when the container is ready.
	Notify Notify `json:"notify"`
	// Reload is what a reload of the unit does to the container; nil means
	// nothing.
	Reload *Reload `json:"reload,omitempty"`
	// Runtime is the OCI runtime that dockhost-runtime executes; "" means runc.
	Runtime string `json:"runtime,omitempty"`
	// EnvFiles are read by the supervisor each time it creates the container.
	EnvFiles []EnvFile `json:"env_files,omitempty"`
	// DependsOn has the containers that start before this one.
	DependsOn []Dependency `json:"depends_on,omitempty"`
	// Restart is the unit's Restart= ("always", "on-failure", "no"), or "" for
	// the unit's default.
	Restart string `json:"restart,omitempty"`
	// ContainerName is the container's name in Docker; "" means Name.
	ContainerName string `json:"container_name,omitempty"`
	// Networks and Volumes are those that the supervisor creates if they are
	// missing.
	Networks []Network `json:"networks,omitempty"`
	Volumes  []Volume  `json:"volumes,omitempty"`
	// VolumesFrom has the containers whose images' volumes this one mounts, too.
	VolumesFrom []VolumesFrom `json:"volumes_from,omitempty"`
	// Completes is true for a container that others wait for until it has exited
	// with 0. Its unit is active from then on.
	Completes bool `json:"completes,omitempty"`
	// Files are the secrets and configs.
	Files []File `json:"files,omitempty"`
	// PostStart and PreStop are run in the container after its start and before
	// its stop.
	PostStart []Hook `json:"post_start,omitempty"`
	PreStop   []Hook `json:"pre_stop,omitempty"`
	// Mounts are file systems that the host mounts before the container starts.
	Mounts []Mount `json:"mounts,omitempty"`
	// Credentials has the names of systemd credentials for the unit.
	Credentials []string `json:"credentials,omitempty"`
	// Unit has the user's settings for the unit.
	Unit []UnitSetting `json:"unit,omitempty"`
	// Update says how the container is replaced; nil is the default of the host.
	Update *Update `json:"update,omitempty"`
	// GPU is the request for devices that dockhost grants; nil means none.
	// Requests to Docker are in HostConfig.DeviceRequests.
	GPU *GPUNeeds `json:"gpu,omitempty"`
	// Granted are the bind mounts that the policy of the host grants only in some
	// directories; nil without such a policy.
	Granted []Granted `json:"granted,omitempty"`
	// EnvGrants and FileGrants are where that policy grants the env files, and the files of
	// secrets and configs; nil for everywhere.
	EnvGrants  *beneath.Grants `json:"env_grants,omitempty"`
	FileGrants *beneath.Grants `json:"file_grants,omitempty"`
	// Run has the other options of `dockhost run`; nil for an assigned
	// container.
	Run *Run `json:"run,omitempty"`

	// Config, HostConfig and Networking go to Docker unchanged, except that the
	// supervisor sets labels, the runtime and the cgroup.
	Config     *container.Config         `json:"config"`
	HostConfig *container.HostConfig     `json:"host_config"`
	Networking *network.NetworkingConfig `json:"networking,omitempty"`
}

// DefaultPullStallTimeout is the default of [Container.PullStallTimeout].
const DefaultPullStallTimeout = time.Minute

// PullPolicy decides when an image is pulled. The values are Compose's.
type PullPolicy string

// The pull policies. Compose's if_not_present is PullMissing.
const (
	// PullMissing pulls an image that is not on the host.
	PullMissing PullPolicy = "missing"
	// PullAlways asks the registry at each start. If the registry does not
	// answer, the host's own copy of the image is started.
	PullAlways PullPolicy = "always"
	// PullNever uses the host's own copy of the image, or fails.
	PullNever PullPolicy = "never"
)

// Reload is what a reload of the unit does. One of the fields is set.
type Reload struct {
	// Signal is sent to the container: "HUP", "SIGHUP" or a number.
	Signal string `json:"signal,omitempty"`
	// Exec is a command to run in the container.
	Exec []string `json:"exec,omitempty"`
}

// Run has the options of a container in a unit that the user wrote.
type Run struct {
	// Keep keeps the ended container until the next start, like docker run
	// without --rm.
	Keep bool `json:"keep,omitempty"`
	// Detach ends the supervisor when the container is ready. systemd then
	// supervises the container's first process.
	Detach bool `json:"detach,omitempty"`
	// Background says that the caller expects the command to return once the
	// container runs, like docker run -d.
	Background bool `json:"background,omitempty"`
	// Quiet relays no output.
	Quiet bool `json:"quiet,omitempty"`
	// Stdout and Stderr choose the output to relay, like docker run -a.
	Stdout bool `json:"stdout,omitempty"`
	Stderr bool `json:"stderr,omitempty"`
	// ForwardSignals sends the container all signals that the supervisor does
	// not handle itself.
	ForwardSignals bool `json:"forward_signals,omitempty"`
	// PIDFile is written with the pid of the container's first process, and
	// CIDFile with the container's ID; "" means no file.
	PIDFile string `json:"pid_file,omitempty"`
	CIDFile string `json:"cid_file,omitempty"`
	// Controllers are the cgroup v1 hierarchies ("name=systemd", "memory") in
	// which the container is in the cgroup of its unit. In the others it is
	// where Docker puts it. Empty means all hierarchies.
	Controllers []string `json:"controllers,omitempty"`
}

// EnvFile is a file of NAME=VALUE lines on the host.
type EnvFile struct {
	Path string `json:"path"`
	// Required makes a missing file an error.
	Required bool `json:"required"`
	// Format is "" for Compose's format, or "raw" for lines without quotes and
	// variables.
	Format string `json:"format,omitempty"`
}

// Dependency is another container of the same assignment.
type Dependency struct {
	Name string `json:"name"`
	// Joined is true when this container uses namespaces of the other one and
	// so cannot outlive it: Requires= instead of Wants=.
	Joined bool `json:"joined,omitempty"`
	// Condition is what this container waits for.
	Condition Condition `json:"condition,omitempty"`
	// Restart restarts this container when the other one is replaced.
	Restart bool `json:"restart,omitempty"`
	// Optional starts this container also when the other one fails.
	Optional bool `json:"optional,omitempty"`
	// Stopped says that someone has stopped the other one on this host: this container
	// starts without it.
	Stopped bool `json:"-"`
}

// Needed says that this container cannot run without the other one.
func (d *Dependency) Needed() bool {
	return d.Joined || d.Condition == ConditionCompleted && !d.Optional
}

// Condition is what a container waits for before it starts. The values are
// Compose's.
type Condition string

// The conditions. "" is ConditionReady.
const (
	// ConditionReady waits until the other container is ready by its own notify
	// mode.
	ConditionReady Condition = ""
	// ConditionHealthy waits until the other container's health check passes.
	ConditionHealthy Condition = "service_healthy"
	// ConditionCompleted waits until the other container has exited with 0.
	ConditionCompleted Condition = "service_completed_successfully"
)

// Granted is a bind mount whose source must be in a directory that a policy grants, each
// time the container starts.
type Granted struct {
	// Target is the path in the container.
	Target string `json:"target"`
	// Directories are those that the policy grants, as it names them: "/srv" or "/srv:ro".
	Directories []string `json:"directories"`
}

// Mount is a file system on a block device. The fields are named as in
// systemd.mount(5).
type Mount struct {
	// What is the device, below /dev, and Where the mount point.
	What  string `json:"what"`
	Where string `json:"where"`
	// Type is the file system type, or "" to detect it.
	Type string `json:"type,omitempty"`
	// Options are mount options, separated by commas.
	Options string `json:"options,omitempty"`
	// Makefs creates the file system if the device is blank.
	Makefs bool `json:"makefs,omitempty"`
}

// UnitSetting is one line of a unit file.
type UnitSetting struct {
	Section string `json:"section"`
	Key     string `json:"key"`
	Value   string `json:"value"`
}

// Hash identifies the content of the container. If two declarations have the
// same hash, the container need not restart to go from one to the other. So the
// hash leaves out unit settings, which systemd can change in place, the start
// order, the credentials for a pull, how the container is updated, and what a policy
// says about it.
func (c *Container) Hash() string {
	hashed := *c
	hashed.Unit, hashed.DependsOn, hashed.Restart, hashed.Run, hashed.Credentials = nil, nil, "", nil, nil
	hashed.Update, hashed.Granted, hashed.EnvGrants, hashed.FileGrants = nil, nil, nil, nil
	raw, err := json.Marshal(hashed)
	if err != nil {
		// Only channels, functions and cycles cannot be marshalled.
		panic(fmt.Sprintf("marshal container %q: %v", c.Name, err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// Unpinned returns the container as it was declared, without the pin.
func (c *Container) Unpinned() *Container {
	declared := *c
	declared.Pin = nil
	return &declared
}
