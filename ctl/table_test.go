package ctl

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
)

var update = flag.Bool("update", false, "write the golden files")

func TestPrintTable(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	since := now.Add(-2 * time.Minute)
	good := api.Container{
		Name: "web", Image: "localhost:5000/nginx:1.22", Digest: "sha256:0123456789abcdef0123456789abcdef", Unit: "dockhost@web.service",
		ActiveState: "active", SubState: "running", Since: &since, Ready: true, Health: "healthy", StatusText: "running",
	}
	source := api.Source{Datasource: "NoCloud", InstanceID: "i-1", Path: "/var/lib/cloud/seed/nocloud/user-data"}
	docker := api.Docker{Reachable: true, Version: "26.1.5", RuntimeRegistered: true}
	agent := api.Agent{Reachable: true, Version: "0.1.0"}
	failing, cached, pending, local := good, good, good, good
	failing.Name, failing.Ready, failing.Digest, failing.Health, failing.Restarts = "db", false, "", "", 3
	failing.ActiveState, failing.SubState, failing.StatusText = "activating", "start", "next try in 4s: manifest unknown"
	failing.LastError = &api.Failure{At: since, Message: "manifest unknown"}
	cached.Name, cached.Cached = "cache", true
	pending.Pending = &api.Pending{Image: "localhost:5000/nginx:1.24", Doing: "trying again", Error: "port 80/tcp is in use\nport 81/tcp is in use"}
	local.Name, local.Origin = "db", api.OriginLocal
	updates := updating(good, now)
	tests := []struct {
		name  string
		color bool
		s     api.Status
	}{
		{"well", false, api.Status{Agent: agent, Source: source, Docker: docker, Containers: []api.Container{good}}},
		{"well in color", true, api.Status{Agent: agent, Source: source, Docker: docker, Containers: []api.Container{good}}},
		{"problems", false, api.Status{
			Agent: agent, Docker: api.Docker{Error: "docker is unreachable"}, Containers: []api.Container{cached, failing, pending},
			Source: api.Source{Datasource: "NoCloud", InstanceID: "i-1", Path: "/user-data", LastKnownGood: true, Problems: []string{"user-data:3:1: one", "user-data:4:1: two"}},
		}},
		{"local", false, api.Status{Agent: agent, Source: source, Docker: docker, Containers: []api.Container{good, local}}},
		{"updates", false, api.Status{Agent: agent, Source: source, Docker: docker, Containers: updates}},
		{"without agent", false, api.Status{Agent: api.Agent{Error: "connection refused"}, Docker: docker, Containers: []api.Container{good}}},
		{"nothing assigned", false, api.Status{Agent: agent, Source: api.Source{Note: "no datasource has user data for this host"}, Docker: docker}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var out bytes.Buffer
			for i := range test.s.Containers {
				test.s.Containers[i].Judge()
			}
			test.s.Well = allWell(test.s)
			if err := printTable(&out, test.s, view{colors: palette(test.color), now: now}); err != nil {
				t.Fatal(err)
			}
			compareGolden(t, test.name, out.String())
		})
	}
}

// allWell returns whether all is well in a status of these tests.
func allWell(s api.Status) bool {
	return s.Agent.Reachable && s.Docker.Error == "" && len(s.Source.Problems) == 0 && !slices.ContainsFunc(s.Containers, func(c api.Container) bool { return !c.Well() })
}

// compareGolden compares a text with a file in testdata.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	golden := filepath.Join("testdata", strings.ReplaceAll(name, " ", "-")+".txt")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", golden, diff)
	}
}

// updating returns a container in each state of an update.
func updating(good api.Container, now time.Time) []api.Container {
	ago, soon := now.Add(-3*time.Minute), now.Add(40*time.Second)
	from := &api.Revision{Image: "nginx:1.22", Digest: "sha256:111111111111111111"}
	to := &api.Revision{Image: "nginx:1.24", Digest: "sha256:222222222222222222"}
	quarantined := []api.Revision{{Image: "nginx:1.24", Digest: to.Digest, Why: "not ready within 5m0s", At: &ago}}
	updates := []struct {
		name    string
		pending *api.Pending
		update  api.Update
	}{
		{"confirmed", nil, api.Update{State: api.OutcomeConfirmed, From: from, To: to, Quarantined: quarantined}},
		{"checking", nil, api.Update{State: "checking", From: from}},
		{"pulling", nil, api.Update{State: api.StatePulling, From: from, To: to}},
		{"waiting", nil, api.Update{State: api.StateWaiting, Why: "its window opens on Saturday at 02:00", To: to}},
		{"waiting-change", &api.Pending{Image: "nginx:1.24", Doing: "waiting"}, api.Update{State: api.StateWaiting, Why: "the application holds its lock", To: to}},
		{"from-registry", &api.Pending{Image: "nginx:1.24", Doing: "pulling nginx:1.24, 50%"}, api.Update{State: api.StatePulling, Cause: api.CauseRegistry, To: to}},
		{"went-back", nil, api.Update{State: api.OutcomeConfirmed, Cause: api.CauseRollback, Since: &ago, To: from, Quarantined: quarantined}},
		{"quarantined", &api.Pending{Image: "nginx:1.24", Doing: "quarantined", Error: "not ready"}, api.Update{State: api.OutcomeRolledBack, Since: &ago, Why: "not ready", To: to, Quarantined: quarantined[:1]}},
		{"tried-again", &api.Pending{Image: "nginx:1.24", Doing: "trying again", Error: "port 80 is in use"}, api.Update{State: api.OutcomeRefused, Since: &ago, Why: "port 80 is in use", To: to}},
		{"soaking", nil, api.Update{State: api.StateSoaking, Why: "ready, and observed until 03:04:45", From: from, To: to}},
		{"rolled-back", nil, api.Update{State: api.OutcomeRolledBack, Since: &ago, Why: "not ready within 5m0s", From: from, To: to, Quarantined: quarantined}},
		{"refused", nil, api.Update{State: api.OutcomeRefused, Since: &ago, Why: "the image is for linux/arm64\nthis host is linux/amd64", To: to}},
		{"failed", nil, api.Update{State: api.OutcomeFailed, Since: &ago, Why: "it exited with status 1", To: to}},
		{"paused", nil, api.Update{State: api.OutcomeConfirmed, Paused: "3 updates in a row failed"}},
		{"held", nil, api.Update{State: api.OutcomeConfirmed, Hold: &api.Hold{By: "admin", At: ago, Until: &soon}}},
		{"unasked", nil, api.Update{State: api.OutcomeConfirmed, CheckError: "registry.test: unauthorized", NextCheck: &soon}},
	}
	var containers []api.Container
	for _, u := range updates {
		c := good
		c.Name, c.Pending, c.Update = u.name, u.pending, &u.update
		containers = append(containers, c)
	}
	return containers
}
