// Package spec says what to run: a Container is the Docker Engine API's own
// structs and what its supervisor and its unit are to do about them. The
// packages below it make one from a declaration: spec/compose from a Compose
// service, spec/dockerrun from the flags of docker run. What stands here is
// data, and links nothing, for each supervisor carries it.
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
	// Housekeeping is what is said about it; nil where nothing is.
	Housekeeping *Housekeeping `json:"housekeeping,omitempty"`
}

// Registry is a login. It is a secret: it is never logged or shown. The password
// is one of Password, PasswordFile and PasswordCredential; or the whole login is
// asked for, of CredentialHelper or as Identity.
type Registry struct {
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// PasswordFile is a file on the host, which is root's alone.
	PasswordFile string `json:"password_file,omitempty"`
	// PasswordCredential names a systemd credential.
	PasswordCredential string `json:"password_credential,omitempty"`
	// CredentialHelper is NAME of a program docker-credential-NAME, and
	// Environment what that is given beside its caller's own.
	CredentialHelper string            `json:"credential_helper,omitempty"`
	Environment      map[string]string `json:"environment,omitempty"`
	// Identity is the cloud whose instance identity logs in: "gce".
	Identity string `json:"identity,omitempty"`
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
	// Reload is what a reload of the unit does to the container; nil is
	// nothing.
	Reload *Reload `json:"reload,omitempty"`
	// Runtime is the OCI runtime that dockhost-runtime execs; "" is runc.
	Runtime string `json:"runtime,omitempty"`
	// EnvFiles are read by the supervisor each time the container is made.
	EnvFiles []EnvFile `json:"env_files,omitempty"`
	// DependsOn names the containers that are started before this one.
	DependsOn []Dependency `json:"depends_on,omitempty"`
	// Restart is the unit's Restart= ("always", "on-failure", "no"), or ""
	// to leave the unit's own default.
	Restart string `json:"restart,omitempty"`
	// Mounts are file systems that the host mounts before the container starts.
	Mounts []Mount `json:"mounts,omitempty"`
	// Credentials names the systemd credentials that the unit is given.
	Credentials []string `json:"credentials,omitempty"`
	// Unit is what the user wants set in the unit, section by section.
	Unit []UnitSetting `json:"unit,omitempty"`
	// GPU is what the container asks for of the host's devices that dockhost
	// gives it by itself; nil is nothing. What Docker is asked for is in
	// HostConfig.DeviceRequests.
	GPU *GPUNeeds `json:"gpu,omitempty"`
	// Run is what `dockhost run` was asked for beside the container itself; nil
	// for an assigned container.
	Run *Run `json:"run,omitempty"`

	// Config, HostConfig and Networking go to the Engine as they are, but for
	// the labels, the runtime and the place, which are the supervisor's.
	Config     *container.Config         `json:"config"`
	HostConfig *container.HostConfig     `json:"host_config"`
	Networking *network.NetworkingConfig `json:"networking,omitempty"`
}

// DefaultPullStallTimeout is the PullStallTimeout where none was asked for.
const DefaultPullStallTimeout = time.Minute

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

// Reload is what a reload of the unit does: one of the two is set.
type Reload struct {
	// Signal is sent to the container: "HUP", "SIGHUP" or a number.
	Signal string `json:"signal,omitempty"`
	// Exec is a command that is run in the container.
	Exec []string `json:"exec,omitempty"`
}

// Run is how a container is run whose unit somebody wrote.
type Run struct {
	// Keep leaves the container when it has ended, until the next start: what
	// docker run without --rm does.
	Keep bool `json:"keep,omitempty"`
	// Detach has the supervisor end once the container is ready, and systemd
	// supervise the container's first process.
	Detach bool `json:"detach,omitempty"`
	// Quiet relays no output.
	Quiet bool `json:"quiet,omitempty"`
	// Stdout and Stderr say which output is relayed, as -a has it.
	Stdout bool `json:"stdout,omitempty"`
	Stderr bool `json:"stderr,omitempty"`
	// ForwardSignals passes signals that have no meaning for the supervisor on
	// to the container.
	ForwardSignals bool `json:"forward_signals,omitempty"`
	// PIDFile gets the pid of the container's first process, CIDFile the
	// container's id; "" is no file.
	PIDFile string `json:"pid_file,omitempty"`
	CIDFile string `json:"cid_file,omitempty"`
	// Controllers names the cgroup v1 hierarchies ("name=systemd", "memory") in
	// which the container lies in its unit; in the others it lies where Docker
	// puts it. Empty is all of them.
	Controllers []string `json:"controllers,omitempty"`
}

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

// Mount is a file system on a block device, in the words of systemd.mount(5).
type Mount struct {
	// What is the device, below /dev, and Where the path that it is mounted at.
	What  string `json:"what"`
	Where string `json:"where"`
	// Type is the file system's, "" for the one that is found.
	Type string `json:"type,omitempty"`
	// Options are mount options, separated by commas.
	Options string `json:"options,omitempty"`
	// Makefs makes the file system where the device is blank.
	Makefs bool `json:"makefs,omitempty"`
}

// UnitSetting is one line of a unit file.
type UnitSetting struct {
	Section string `json:"section"`
	Key     string `json:"key"`
	Value   string `json:"value"`
}

// Hash identifies what the container is made of. Two containers with the same
// hash need no restart to become each other: unit settings, which systemd
// takes over on its own, the order of starting, and the credentials that a
// pull needs are left out.
func (c *Container) Hash() string {
	made := *c
	made.Unit, made.DependsOn, made.Restart, made.Run, made.Credentials = nil, nil, "", nil, nil
	raw, err := json.Marshal(made)
	if err != nil {
		// Only channels, functions and cycles cannot be marshalled.
		panic(fmt.Sprintf("marshal container %q: %v", c.Name, err))
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}
