package doctor

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/dockhost/dockhost/agent/api"
)

// containerChecks ask dockhost itself: its agent, the user data, and each container.
func containerChecks() []Check {
	const area = "containers"
	return []Check{
		{ID: "agent", Area: area, Title: "the agent answers", examine: checkAgent},
		{ID: "user-data", Area: area, Title: "the user data can be used", examine: checkUserData},
		{ID: "containers", Area: area, Title: "each container is well", examine: checkContainers},
	}
}

func checkAgent(_ context.Context, h *host) []Finding {
	s, err := h.status()
	switch {
	case err != nil:
		return fail("neither the agent nor systemd says what runs: "+err.Error(), "systemctl status dockhost.service")
	case s.Agent.Reachable:
		return ok("the agent answers, version " + s.Agent.Version)
	case strings.Contains(s.Agent.Error, "permission denied"):
		return needsRoot()
	}
	return fail("the agent does not answer: "+s.Agent.Error, "systemctl start dockhost.service; if that fails: journalctl -b -u dockhost.service -n 50")
}

func checkUserData(_ context.Context, h *host) []Finding {
	s, err := h.status()
	if err != nil || !s.Agent.Reachable {
		return skip("the agent does not answer")
	}
	var findings []Finding
	for _, problem := range s.Source.Problems {
		findings = append(findings, fail(split(problem, "correct it where it says; to see what was read: dockhostctl userdata"))...)
	}
	switch {
	case len(findings) > 0 && s.Source.LastKnownGood:
		return append(findings, fail("containers run by the last assignment that was good, until the user data is correct", "dockhostctl userdata")...)
	case len(findings) > 0:
		return findings
	case s.Source.Waiting != "":
		return warn("dockhost waits for user data: "+s.Source.Waiting, "dockhostctl doctor metadata")
	case s.Source.Datasource == "":
		return ok("no datasource has user data for this host")
	}
	return ok(fmt.Sprintf("user data of %s is in use", s.Source.Datasource))
}

func checkContainers(ctx context.Context, h *host) []Finding {
	s, err := h.status()
	if err != nil {
		return skip("nobody says what runs")
	}
	var findings []Finding
	for i := range s.Containers {
		if problem, cure := h.containerProblem(ctx, &s.Containers[i]); problem != "" {
			findings = append(findings, fail(s.Containers[i].Name+": "+problem, cure)...)
		}
	}
	switch {
	case len(findings) > 0:
		return findings
	case len(s.Containers) == 0:
		return ok("no container is assigned")
	}
	return ok(fmt.Sprintf("%d of %d containers are well", len(s.Containers), len(s.Containers)))
}

// containerProblem says why a container is not well, and what to do; "" if it is well,
// starts without an error, or was stopped on purpose.
func (h *host) containerProblem(ctx context.Context, c *api.Container) (problem, cure string) {
	logs := "journalctl -u " + c.Unit + " -n 50"
	switch {
	case c.Stopped != nil:
		return "", ""
	case c.SettingsProblem != "":
		return split(c.SettingsProblem, "systemctl reload dockhost")
	case c.GPU != "":
		return "it has lost a GPU: " + c.GPU, "systemctl restart " + c.Unit
	case c.Health == "unhealthy":
		return "its health check fails: " + h.healthOutput(ctx, c), "see what it says: " + logs + "; to start it again: systemctl restart " + c.Unit
	case c.Health == "starting" && strings.Contains(h.healthOutput(ctx, c), "exec failed"):
		// Docker counts no failure then, so that the container stays "starting" for good
		// (moby 26.1).
		return "its health check cannot run: " + h.healthOutput(ctx, c), "use a program that the image has in healthcheck, or notify: tcp:PORT"
	case c.Pending != nil && c.Pending.Error != "":
		return split("the change to "+c.Pending.Image+" is not in force: "+c.Pending.Error, logs)
	case c.LastError != nil:
		return split(c.LastError.Message, logs)
	case c.ActiveState == "failed":
		return "its unit has failed", logs + "; then: systemctl restart " + c.Unit
	}
	return "", ""
}

// healthOutput returns the output of the last health check.
func (h *host) healthOutput(ctx context.Context, c *api.Container) string {
	inspected, err := h.Engine.Inspect(ctx, c.ID)
	if err != nil {
		return "Docker does not say why"
	}
	return cmp.Or(strings.TrimSpace(inspected.HealthOutput), "it prints nothing")
}

// split divides a problem that says at its end, in brackets, what to do about it.
// Otherwise it returns the given cure.
func split(problem, otherwise string) (found, cure string) {
	problem = strings.TrimSpace(problem)
	if !strings.HasSuffix(problem, ")") {
		return problem, otherwise
	}
	depth := 0
	for i := len(problem) - 1; i > 0; i-- {
		switch problem[i] {
		case ')':
			depth++
		case '(':
			depth--
		}
		if depth == 0 {
			return strings.TrimSpace(problem[:i]), problem[i+1 : len(problem)-1]
		}
	}
	return problem, otherwise
}
