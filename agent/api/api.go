// Package api has the types of the agent's local API. Status and its parts are the
// documented JSON of `dockhostctl status --json`: fields are added, never renamed.
// The other types are between dockhostctl and an agent of the same version. The
// package imports nothing of this project.
package api

import "time"

// Version is the version of the JSON. It changes when the meaning of a field
// changes.
const Version = 1

// Status is the answer to GET /v1/status.
type Status struct {
	// Version is [Version].
	Version int `json:"version"`
	// Well says that every container is ready and nobody has to act.
	Well bool `json:"well"`
	// Agent is the node agent itself.
	Agent Agent `json:"agent"`
	// Source is where the assignment comes from.
	Source Source `json:"source"`
	// Docker is the Engine.
	Docker Docker `json:"docker"`
	// Containers are sorted by name.
	Containers []Container `json:"containers"`
	// Housekeeping is the state of the disk; absent when the agent did not answer.
	Housekeeping *Housekeeping `json:"housekeeping,omitempty"`
}

// Agent is the node agent.
type Agent struct {
	// Reachable is false when the status was gathered without the agent.
	Reachable bool `json:"reachable"`
	// Version is the program's version.
	Version string `json:"version,omitempty"`
	// Error is why the agent did not answer.
	Error string `json:"error,omitempty"`
}

// Source is where the assignment comes from.
type Source struct {
	// Datasource is cloud-init's name of it ("NoCloud"), "" when none has data for
	// this host.
	Datasource string `json:"datasource"`
	// InstanceID identifies the instance that the user data is for.
	InstanceID string `json:"instance_id,omitempty"`
	// Path is where the user data was read.
	Path string `json:"path,omitempty"`
	// AcceptedAt is when an assignment was accepted last.
	AcceptedAt *time.Time `json:"accepted_at,omitempty"`
	// LastKnownGood says that the user data could not be used, so that the assignment
	// accepted before is in force.
	LastKnownGood bool `json:"last_known_good"`
	// Problems is everything that is wrong with the user data, the files in
	// /etc/dockhost/containers and the configuration.
	Problems []string `json:"problems,omitempty"`
	// Waiting says what user data the agent waits for.
	Waiting string `json:"waiting,omitempty"`
	// Note is information that is not a problem.
	Note string `json:"note,omitempty"`
}

// Docker is the Engine.
type Docker struct {
	Reachable bool   `json:"reachable"`
	Version   string `json:"version,omitempty"`
	// RuntimeRegistered says whether `dockhost setup` has been run.
	RuntimeRegistered bool `json:"runtime_registered"`
	// Error is what is wrong, and what to do.
	Error string `json:"error,omitempty"`
}

// Container is one assigned container.
type Container struct {
	// Name is the container's name, or the name of the unit that calls dockhost run.
	Name string `json:"name"`
	// State is the state in one word, Reason says why it is so, and Cure is the command
	// that helps; "" where nothing needs to be said or done.
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"`
	Cure   string `json:"cure,omitempty"`
	// Origin is where the container is declared; "" for a container that is not assigned
	// any more, and when the agent did not answer and the caller is not root.
	Origin Origin `json:"origin,omitempty"`
	// Image is the reference of the image that runs, Digest the registry's digest of it.
	Image  string `json:"image"`
	Digest string `json:"digest,omitempty"`
	// Cached says that the registry did not answer at the last start.
	Cached bool `json:"cached"`
	// ID is the Engine's id of the container.
	ID string `json:"id,omitempty"`
	// Unit is the systemd unit, ActiveState and SubState are systemd's.
	Unit        string `json:"unit"`
	ActiveState string `json:"active_state"`
	SubState    string `json:"sub_state"`
	// Cgroup is the cgroup of the unit, from the root of the cgroup file systems; "" while
	// it has none.
	Cgroup string `json:"cgroup,omitempty"`
	// Phase is the supervisor's: waiting, pulling, creating, starting, unready, running,
	// stopping or ended; "" when it is not known.
	Phase string `json:"phase,omitempty"`
	// Masked says that systemd must not start the unit, Queued that systemd has a job for
	// it that has not ended.
	Masked bool `json:"masked,omitempty"`
	Queued bool `json:"queued,omitempty"`
	// Result is systemd's word for how the unit ended last ("success", "exit-code"),
	// ExitStatus the exit status of its process, ExitedAt when that ended.
	Result     string     `json:"result,omitempty"`
	ExitStatus int        `json:"exit_status,omitempty"`
	ExitedAt   *time.Time `json:"exited_at,omitempty"`
	// Since is when the unit entered this state.
	Since *time.Time `json:"since,omitempty"`
	// StatusText says what the supervisor is doing, in a sentence.
	StatusText string `json:"status_text,omitempty"`
	// Ready says whether the container is ready, as its notify mode defines it.
	Ready bool `json:"ready"`
	// Finished says that the container ended without an error, and is not restarted:
	// its restart is "no" or "on-failure".
	Finished bool `json:"finished"`
	// Outdated says that an older revision runs than the one that is assigned.
	Outdated bool `json:"outdated,omitempty"`
	// Health is Docker's: healthy, unhealthy, starting, or "" without a check.
	Health string `json:"health,omitempty"`
	// HealthCheck is the last health check; absent before the first.
	HealthCheck *HealthCheck `json:"health_check,omitempty"`
	// Paused says that someone has frozen the container (docker pause).
	Paused bool `json:"paused,omitempty"`
	// StartedAt is when Docker started the container.
	StartedAt *time.Time `json:"started_at,omitempty"`
	// Ports are the ports that the container publishes: "8080->80/tcp".
	Ports []string `json:"ports,omitempty"`
	// GPU says which of its GPUs the container has lost, and why; "" when it has lost
	// none, or its GPUs are not checked.
	GPU string `json:"gpu,omitempty"`
	// Volumes are the volumes that dockhost made for paths without a named volume,
	// sorted by path.
	Volumes []Volume `json:"volumes,omitempty"`
	// Restarts is how often systemd restarted the unit by itself.
	Restarts int `json:"restarts"`
	// LastError is the last failure. It is absent once the container is ready, unless
	// it says why the image is a cached one.
	LastError *Failure `json:"last_error,omitempty"`
	// SettingsProblem says why the unit runs without the settings of its declaration.
	// It is one of the problems of the source.
	SettingsProblem string `json:"settings_problem,omitempty"`
	// Pending is the change that is not in force yet.
	Pending *Pending `json:"pending,omitempty"`
	// Stopped says who has stopped the container; absent when nobody has.
	Stopped *Stopped `json:"stopped,omitempty"`
	// WaitsFor names the containers that must stop before this one can start, each with what
	// both need; "" if it waits for none.
	WaitsFor string `json:"waits_for,omitempty"`
	// Update is what the agent does about changes of the container; absent when the
	// agent, which alone knows it, did not answer.
	Update *Update `json:"update,omitempty"`
	// Details are what dockhostctl status adds for a container that is named.
	Details *Details `json:"details,omitempty"`
}

// Well reports whether the container is ready, and nobody has to act on it. A container
// that was rolled back is not well, although it is ready. One that is held, or waits for
// its time to be replaced, is, and so is one that someone has stopped.
func (c Container) Well() bool {
	if c.Stopped != nil && !c.active() {
		return c.SettingsProblem == ""
	}
	return (c.Ready || c.Finished) && !c.Paused && c.Health != "unhealthy" && c.GPU == "" && !c.Cached && c.OnTrack() && c.SettingsProblem == "" && !c.Update.needsPerson()
}

// OnTrack reports whether the container runs what it should: nothing is pending, or what
// is pending found nothing wrong and waits for its time or comes from the registry, or a
// person has accepted what runs by a hold.
func (c Container) OnTrack() bool {
	u := c.Update
	switch {
	case c.Pending == nil:
		return true
	case u == nil:
		return false
	case c.Pending.Error != "":
		return u.State == OutcomeRolledBack && u.accepted()
	}
	return u.State == StateWaiting || u.Cause == CauseRegistry
}

// Volume is a volume that dockhost made for a path of a container.
type Volume struct {
	Path string `json:"path"`
	Name string `json:"name"`
}

// Origin is where a container is declared.
type Origin string

// The origins.
const (
	// OriginUserData is the instance's user data.
	OriginUserData Origin = "user-data"
	// OriginFile is a Compose file in /etc/dockhost/containers.
	OriginFile Origin = "file"
	// OriginLocal is dockhostctl run on this host.
	OriginLocal Origin = "local"
	// OriginUnit is a unit of this host that calls dockhost run.
	OriginUnit Origin = "unit"
)

// Failure is an error, and when it occurred.
type Failure struct {
	At      time.Time `json:"at"`
	Message string    `json:"message"`
}

// Pending is a declaration that was accepted, and will replace the one that is in
// force.
type Pending struct {
	Image string `json:"image"`
	// Doing says what the agent does to put it in force.
	Doing string `json:"doing"`
	// Error is why it is not in force yet; "" during the first try.
	Error string `json:"error,omitempty"`
}
