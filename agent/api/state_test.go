package api

import (
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	failure := &Failure{At: at, Message: "manifest unknown\nmore"}
	check := &HealthCheck{At: at, ExitStatus: 1, Output: "connection refused", Failures: 3, Retries: 3}
	base := Container{Name: "web", Unit: "dockhost@web.service", ActiveState: "active", SubState: "running", ID: "0123456789abcdef"}
	activating := func(c *Container) { c.ActiveState, c.SubState = "activating", "start" }
	tests := []struct {
		name   string
		set    func(c *Container)
		state  State
		reason string
		cure   string
	}{
		{"ready", func(c *Container) { c.Ready = true }, ContainerReady, "", ""},
		{"cached", func(c *Container) { c.Ready, c.Cached, c.LastError = true, true, failure }, ContainerReady, "it runs a cached image: manifest unknown", ""},
		{"unhealthy", func(c *Container) { c.Ready, c.Health, c.HealthCheck = true, "unhealthy", check }, ContainerUnhealthy, "its health check fails: exit status 1: connection refused", "dockhostctl logs web"},
		{"unhealthy, not ready", func(c *Container) { activating(c); c.Phase, c.Health = "unready", "unhealthy" }, ContainerUnhealthy, "its health check fails", "dockhostctl logs web"},
		{"GPU", func(c *Container) { c.Ready, c.GPU = true, "GPU 0: gone" }, ContainerUnhealthy, "it lost a GPU: GPU 0: gone", "systemctl restart dockhost@web.service"},
		{"paused", func(c *Container) { c.Ready, c.Paused, c.Health = true, true, "unhealthy" }, ContainerPaused, "someone has paused it (docker pause)", "docker unpause 0123456789ab"},
		{"stopped", func(c *Container) {
			c.ActiveState, c.Stopped = "inactive", &Stopped{By: "dockhostctl stop", User: "admin"}
		}, ContainerStopped, "by dockhostctl stop (admin)", "dockhostctl start web"},
		{"stopped, failed", func(c *Container) { c.ActiveState, c.Stopped = "failed", &Stopped{By: "systemctl stop"} }, ContainerStopped, "by systemctl stop", "dockhostctl start web"},
		{"stopped, and started since", func(c *Container) { c.Ready, c.Stopped = true, &Stopped{} }, ContainerReady, "", ""},
		{"inactive", func(c *Container) { c.ActiveState = "inactive" }, ContainerStopped, "its unit is not active", "dockhostctl start web"},
		{"inactive unit", func(c *Container) { c.ActiveState, c.Origin, c.Unit = "inactive", OriginUnit, "x.service" }, ContainerStopped, "its unit is not active", "systemctl start x.service"},
		{"queued", func(c *Container) { c.ActiveState, c.Queued = "inactive", true }, ContainerWaiting, "systemd starts it after the units that it depends on", "systemctl list-jobs"},
		{"waits for a stop", func(c *Container) {
			c.ActiveState, c.WaitsFor = "inactive", "old (port 80 of the host can be published once)"
		}, ContainerWaiting, "it starts after the stop of old (port 80 of the host can be published once)", ""},
		{"masked", func(c *Container) { c.ActiveState, c.Masked = "inactive", true }, ContainerMasked, "someone has masked its unit: it cannot start", "systemctl unmask dockhost@web.service && dockhostctl start web"},
		{"masked, and up", func(c *Container) { c.Ready, c.Masked = true, true }, ContainerMasked, "someone has masked its unit: it runs, and cannot start again", "systemctl unmask dockhost@web.service"},
		{"finished", func(c *Container) { c.ActiveState, c.Finished = "inactive", true }, ContainerFinished, "it ended without an error, and is not started again", ""},
		{"failed", func(c *Container) { c.ActiveState, c.Result, c.ExitStatus = "failed", "exit-code", 3 }, ContainerFailed, "it exited with status 3", "dockhostctl start web"},
		{"failed with an error", func(c *Container) { c.ActiveState, c.LastError = "failed", failure }, ContainerFailed, "manifest unknown", "dockhostctl start web"},
		{"start limit", func(c *Container) { c.ActiveState, c.Result = "failed", "start-limit-hit" }, ContainerFailed, "it failed too often, and systemd has given up", "dockhostctl start web"},
		{"other result", func(c *Container) { c.ActiveState, c.Result = "failed", "resources" }, ContainerFailed, `systemd reports the result "resources"`, "dockhostctl start web"},
		{"no result", func(c *Container) { c.ActiveState = "failed" }, ContainerFailed, "it has failed", "dockhostctl start web"},
		{"restarting", func(c *Container) { activating(c); c.SubState, c.LastError = "auto-restart", failure }, ContainerRestarting, "manifest unknown", "dockhostctl logs web"},
		{"restarting after success", func(c *Container) { activating(c); c.SubState, c.Result = "auto-restart-queued", "success" }, ContainerRestarting, "it ended without an error, and its restart policy is always", "dockhostctl logs web"},
		{"stopping", func(c *Container) { c.ActiveState, c.StatusText = "deactivating", "stopping nginx:1" }, ContainerStopping, "stopping nginx:1", ""},
		{"outdated", func(c *Container) { c.Outdated, c.Phase = true, "running" }, ContainerWaiting, "an older revision than the assigned one runs, until the agent has restarted it", ""},
		{"waiting", func(c *Container) { activating(c); c.Phase, c.StatusText = "waiting", "waiting for Docker" }, ContainerWaiting, "waiting for Docker", ""},
		{"pulling", func(c *Container) { activating(c); c.Phase, c.StatusText = "pulling", "pulling nginx:1, 50%" }, ContainerPulling, "pulling nginx:1, 50%", ""},
		{"pulling again", func(c *Container) {
			activating(c)
			c.Phase, c.StatusText, c.LastError = "pulling", "next try in 4s: manifest unknown", failure
		}, ContainerPulling, "next try in 4s: manifest unknown", ""},
		{"pulling after an error", func(c *Container) { activating(c); c.Phase, c.StatusText, c.LastError = "pulling", "pulling", failure }, ContainerPulling, "pulling; last error: manifest unknown", ""},
		{"unready", func(c *Container) {
			activating(c)
			c.Phase, c.StatusText = "unready", "running, waiting for its health check to pass"
		}, ContainerStarting, "running, waiting for its health check to pass", ""},
		{"starting after an error", func(c *Container) { activating(c); c.LastError = failure }, ContainerStarting, "manifest unknown", ""},
		{"ending", func(c *Container) { c.Phase, c.StatusText = "stopping", "stopping" }, ContainerStopping, "stopping", ""},
		{"unknown", func(c *Container) { c.ActiveState = "" }, ContainerUnknown, "systemd does not answer", "systemctl status dockhost@web.service"},
	}
	for _, test := range tests {
		c := base
		test.set(&c)
		c.Judge()
		if c.State != test.state || c.Reason != test.reason || c.Cure != test.cure {
			t.Errorf("%s: Judge() = %q, %q, %q, want %q, %q, %q", test.name, c.State, c.Reason, c.Cure, test.state, test.reason, test.cure)
		}
	}
}

func TestHealthCheckString(t *testing.T) {
	for want, check := range map[string]HealthCheck{
		"exit status 1":                             {ExitStatus: 1},
		"exit status 7: refused":                    {ExitStatus: 7, Output: "refused"},
		"Health check exceeded timeout (30s): wait": {ExitStatus: -1, Output: "Health check exceeded timeout (30s): wait"},
	} {
		if got := check.String(); got != want {
			t.Errorf("%+v.String() = %q, want %q", check, got, want)
		}
	}
}
