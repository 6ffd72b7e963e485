package ctl

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// maxCause is the longest cause in a verdict, in characters.
const maxCause = 100

// verdict returns the status of a host in one line: "2 of 3 containers ready; web: its
// health check fails".
func verdict(s api.Status) string {
	clauses := append(hostClauses(s), countClauses(s.Containers)...)
	var sick []string
	for i := range s.Containers {
		if cause := causeOf(&s.Containers[i]); cause != "" {
			sick = append(sick, s.Containers[i].Name+": "+cut(cause, maxCause, false))
		}
	}
	switch {
	case len(sick) > 1:
		clauses = append(clauses, fmt.Sprintf("%s (and %d more)", sick[0], len(sick)-1))
	case len(sick) == 1:
		clauses = append(clauses, sick[0])
	}
	return strings.Join(clauses, "; ")
}

// hostClauses say what is wrong with the host.
func hostClauses(s api.Status) []string {
	var clauses []string
	if !s.Agent.Reachable {
		clauses = append(clauses, "the agent does not answer")
	}
	switch {
	case s.Docker.Error == "":
	case s.Docker.Reachable:
		clauses = append(clauses, "Docker lacks its runtime")
	default:
		clauses = append(clauses, "Docker does not answer")
	}
	switch problems := len(s.Source.Problems); {
	case s.Source.LastKnownGood:
		clauses = append(clauses, "the last known good assignment is in use")
	case problems == 1:
		clauses = append(clauses, "1 problem")
	case problems > 1:
		clauses = append(clauses, fmt.Sprintf("%d problems", problems))
	case s.Source.Waiting != "":
		clauses = append(clauses, "waiting for user data")
	}
	if s.Housekeeping != nil && s.Housekeeping.Problem != "" {
		clauses = append(clauses, "the disk is too full")
	}
	return clauses
}

// countClauses count the containers.
func countClauses(containers []api.Container) []string {
	var ready, should, stopped, finished int
	for i := range containers {
		switch containers[i].State {
		case api.ContainerStopped:
			stopped++
		case api.ContainerFinished:
			finished++
		case api.ContainerReady:
			ready++
			should++
		case api.ContainerStarting, api.ContainerPulling, api.ContainerWaiting, api.ContainerUnhealthy, api.ContainerPaused, api.ContainerStopping,
			api.ContainerMasked, api.ContainerFailed, api.ContainerRestarting, api.ContainerUnknown:
			should++
		}
	}
	var clauses []string
	switch {
	case len(containers) == 0:
		return []string{"no container runs"}
	case should == 0:
	case ready < should:
		clauses = append(clauses, fmt.Sprintf("%d of %s ready", ready, plural(should, "container")))
	case ready == 1:
		clauses = append(clauses, "1 container ready")
	default:
		clauses = append(clauses, fmt.Sprintf("all %d containers ready", ready))
	}
	if stopped > 0 {
		clauses = append(clauses, fmt.Sprintf("%d stopped", stopped))
	}
	if finished > 0 {
		clauses = append(clauses, fmt.Sprintf("%d finished", finished))
	}
	return clauses
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// causeOf says what is wrong with a container, "" when nothing is.
func causeOf(c *api.Container) string {
	switch {
	case c.Well():
		return ""
	case c.State == api.ContainerUnhealthy && c.GPU == "":
		return "its health check fails"
	case c.State != api.ContainerReady && c.State != api.ContainerFinished && c.Reason != "":
		return c.Reason
	case c.State != api.ContainerReady && c.State != api.ContainerFinished:
		return string(c.State)
	case c.Update != nil && c.Update.Paused != "":
		return "its updates are paused"
	case c.Update != nil && c.Update.State == api.OutcomeRolledBack:
		return "its update was rolled back"
	case c.Update != nil && (c.Update.State == api.OutcomeRefused || c.Update.State == api.OutcomeFailed):
		return "its update " + verb(c.Update.State)
	case c.SettingsProblem != "":
		return "its unit lacks the settings of its declaration"
	}
	return cmp.Or(c.Reason, "a change is not in force yet")
}
