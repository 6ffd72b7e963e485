package api

import (
	"fmt"
	"strings"
	"time"
)

// State is the state of a container in one word.
type State string

// The states of a container.
const (
	// ContainerReady is a container that is ready and well.
	ContainerReady State = "ready"
	// ContainerStarting is one that is created, or runs and is not ready yet.
	ContainerStarting State = "starting"
	// ContainerPulling is one whose image is being pulled.
	ContainerPulling State = "pulling"
	// ContainerWaiting is one that waits for something else: Docker, another unit, the agent.
	ContainerWaiting State = "waiting"
	// ContainerUnhealthy is one that runs, and whose health check fails or that lost a GPU.
	ContainerUnhealthy State = "unhealthy"
	// ContainerPaused is one that someone has frozen (docker pause).
	ContainerPaused State = "paused"
	// ContainerStopping is one that is being stopped.
	ContainerStopping State = "stopping"
	// ContainerStopped is one that does not run because someone has stopped it, or nobody
	// has started it.
	ContainerStopped State = "stopped"
	// ContainerMasked is one that systemd must not start (systemctl mask).
	ContainerMasked State = "masked"
	// ContainerFinished is one that ended without an error, and is not started again.
	ContainerFinished State = "finished"
	// ContainerFailed is one that failed, and that systemd does not start again.
	ContainerFailed State = "failed"
	// ContainerRestarting is one that failed, and that systemd starts again.
	ContainerRestarting State = "restarting"
	// ContainerUnknown is one about which systemd could not be asked.
	ContainerUnknown State = "unknown"
)

// HealthCheck is the last check of a container's health.
type HealthCheck struct {
	At time.Time `json:"at"`
	// ExitStatus is that of the check, Output the last line that it printed, without the
	// values of the container's variables.
	ExitStatus int    `json:"exit_status"`
	Output     string `json:"output,omitempty"`
	// Failures is how many checks have failed in a row, Retries how many make the
	// container unhealthy.
	Failures int `json:"failures"`
	Retries  int `json:"retries"`
}

// String says how the check ended: "exit status 1: connection refused".
func (h *HealthCheck) String() string {
	switch {
	case h.Output == "":
		return fmt.Sprintf("exit status %d", h.ExitStatus)
	case h.ExitStatus == timedOut:
		return h.Output // Docker's own words
	}
	return fmt.Sprintf("exit status %d: %s", h.ExitStatus, h.Output)
}

// timedOut is the exit status that Docker reports for a check that it has ended.
const timedOut = -1

// Judge sets the state, its reason and its cure by all other fields.
func (c *Container) Judge() {
	c.State, c.Reason, c.Cure = c.judge()
}

func (c *Container) judge() (state State, reason, cure string) {
	switch {
	case c.ActiveState == "":
		return ContainerUnknown, "systemd does not answer", "systemctl status " + c.Unit
	case c.Masked && c.active():
		return ContainerMasked, "someone has masked its unit: it runs, and cannot start again", "systemctl unmask " + c.Unit
	case c.Masked:
		return ContainerMasked, "someone has masked its unit: it cannot start", "systemctl unmask " + c.Unit + " && " + c.start()
	case c.Stopped != nil && !c.active():
		return ContainerStopped, c.Stopped.String(), c.start()
	case c.Paused && c.active():
		return ContainerPaused, "someone has paused it (docker pause)", "docker unpause " + shortID(c.ID)
	case c.Ready:
		return c.judgeReady()
	case c.Finished:
		return ContainerFinished, "it ended without an error, and is not started again", ""
	}
	return c.judgeUnready()
}

// judgeReady judges a container that became ready.
func (c *Container) judgeReady() (state State, reason, cure string) {
	switch {
	case c.Health == "unhealthy":
		return ContainerUnhealthy, c.healthReason(), c.look()
	case c.GPU != "":
		return ContainerUnhealthy, "it lost a GPU: " + c.GPU, "systemctl restart " + c.Unit
	case c.Cached && c.LastError != nil:
		return ContainerReady, "it runs a cached image: " + firstLine(c.LastError.Message), ""
	case c.Cached:
		return ContainerReady, "it runs a cached image: the registry did not answer", ""
	}
	return ContainerReady, "", ""
}

// judgeUnready judges a container that is not ready and has not finished.
func (c *Container) judgeUnready() (state State, reason, cure string) {
	switch c.ActiveState {
	case "failed":
		return ContainerFailed, c.failure(), c.start()
	case "deactivating":
		return ContainerStopping, c.StatusText, ""
	case "inactive":
		if c.Queued {
			return ContainerWaiting, "systemd starts it after the units that it depends on", "systemctl list-jobs"
		}
		if c.WaitsFor != "" {
			return ContainerWaiting, "it starts after the stop of " + c.WaitsFor, ""
		}
		return ContainerStopped, "its unit is not active", c.start()
	}
	if strings.HasPrefix(c.SubState, "auto-restart") {
		return ContainerRestarting, c.failure(), c.look()
	}
	if c.Outdated {
		return ContainerWaiting, "an older revision than the assigned one runs, until the agent has restarted it", ""
	}
	switch c.Phase {
	case "waiting":
		return ContainerWaiting, c.doing(), ""
	case "pulling":
		return ContainerPulling, c.doing(), ""
	case "stopping":
		return ContainerStopping, c.StatusText, ""
	}
	if c.Health == "unhealthy" {
		return ContainerUnhealthy, c.healthReason(), c.look()
	}
	return ContainerStarting, c.doing(), ""
}

// active says whether the unit is up or on its way there.
func (c *Container) active() bool {
	switch c.ActiveState {
	case "active", "activating", "reloading", "refreshing":
		return true
	}
	return false
}

// doing is what the supervisor does, with the error that made it try again.
func (c *Container) doing() string {
	switch e := c.LastError; {
	case e == nil || strings.Contains(c.StatusText, firstLine(e.Message)):
		return c.StatusText
	case c.StatusText == "":
		return firstLine(e.Message)
	default:
		return c.StatusText + "; last error: " + firstLine(e.Message)
	}
}

// failure is why a unit has failed.
func (c *Container) failure() string {
	switch {
	case c.LastError != nil:
		return firstLine(c.LastError.Message)
	case c.Result == "success":
		return "it ended without an error, and its restart policy is always"
	case c.Result == "exit-code" || c.Result == "" && c.ExitStatus != 0:
		return fmt.Sprintf("it exited with status %d", c.ExitStatus)
	case c.Result == "start-limit-hit":
		return "it failed too often, and systemd has given up"
	case c.Result == "":
		return "it has failed"
	}
	return fmt.Sprintf("systemd reports the result %q", c.Result)
}

// healthReason says why a container is unhealthy.
func (c *Container) healthReason() string {
	if c.HealthCheck == nil {
		return "its health check fails"
	}
	return "its health check fails: " + c.HealthCheck.String()
}

// start is the command that starts the container.
func (c *Container) start() string {
	if c.Origin == OriginUnit {
		return "systemctl start " + c.Unit
	}
	return "dockhostctl start " + c.Name
}

// look is the command that shows more.
func (c *Container) look() string { return "dockhostctl logs " + c.Name }

// String says who has stopped a container: "by dockhostctl stop (admin)".
func (s *Stopped) String() string {
	if s.User == "" {
		return "by " + s.By
	}
	return "by " + s.By + " (" + s.User + ")"
}

func shortID(id string) string { return id[:min(12, len(id))] }

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
