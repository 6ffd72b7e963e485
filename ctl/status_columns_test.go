package ctl

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/dockhost/dockhost/agent/api"
)

// mixed is a host with a container in each state.
func mixed(now time.Time) api.Status {
	minute, day := now.Add(-90*time.Second), now.Add(-75*time.Hour)
	up := func(name string) api.Container {
		return api.Container{
			Name: name, Unit: "dockhost@" + name + ".service", Image: "registry.example.com:5000/team/project/" + name + ":1.22.3", Digest: "sha256:0123456789abcdef0123",
			ActiveState: "active", SubState: "running", Since: &day, Ready: true, ID: "0123456789abcdef", Phase: "running",
		}
	}
	web, db, cache, job, backup, metrics, mail, queue := up("web"), up("db"), up("cache"), up("job"), up("backup.service"), up("metrics"), up("mail"), up("queue")
	web.Ports, web.Health = []string{"80->80/tcp", "443->443/tcp"}, "healthy"
	web.Update = &api.Update{State: api.OutcomeConfirmed, Hold: &api.Hold{By: "admin", At: day}}
	db.Health, db.Restarts, db.Since = "unhealthy", 12, &minute
	db.HealthCheck = &api.HealthCheck{At: minute, ExitStatus: 1, Output: "pg_isready: could not connect to the server: no such file or directory", Failures: 3, Retries: 3}
	cache.Ready, cache.ActiveState, cache.SubState, cache.Stopped = false, "inactive", "dead", &api.Stopped{At: day, By: "dockhostctl stop", User: "admin"}
	job.Ready, job.Finished, job.ActiveState, job.SubState = false, true, "inactive", "dead"
	backup.Origin, backup.Unit = api.OriginUnit, "backup.service"
	metrics.Paused, metrics.Origin = true, api.OriginFile
	mail.Ready, mail.Masked, mail.ActiveState, mail.SubState = false, true, "inactive", "dead"
	queue.Ready, queue.ActiveState, queue.SubState, queue.Phase, queue.Since = false, "activating", "start", "pulling", &minute
	queue.StatusText = "pulling registry.example.com:5000/team/project/queue:1.22.3, 3 of 7 layers, 45%"
	s := api.Status{
		Agent: api.Agent{Reachable: true, Version: "0.1.0"}, Docker: api.Docker{Reachable: true, Version: "26.1.5"}, Source: api.Source{Datasource: "NoCloud", InstanceID: "i-1", Path: "/user-data"},
		Containers: []api.Container{web, db, cache, job, metrics, mail, queue, backup},
	}
	for i := range s.Containers {
		s.Containers[i].Judge()
	}
	return s
}

// The table fits each terminal, and name and state stay whole. Piped it is whole, too.
func TestTableFitsTerminal(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, width := range []int{0, 60, 80, 120, 200} {
		s := mixed(now)
		var table strings.Builder
		writeColumns(&table, containerColumns(s.Containers, view{width: width, now: now}), width, "")
		lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
		if len(lines) != len(s.Containers)+1 {
			t.Fatalf("width %d: %d lines, want one for each container and the titles:\n%s", width, len(lines), table.String())
		}
		for i, line := range lines {
			if n := utf8.RuneCountInString(line); width > 0 && n > width {
				t.Errorf("width %d: this line has %d characters: %s", width, n, line)
			}
			if i == 0 {
				continue
			}
			c := s.Containers[i-1]
			if fields := strings.Fields(strings.TrimPrefix(line, c.Name+mark(c.Origin))); len(fields) == 0 || fields[0] != string(c.State) {
				t.Errorf("width %d: want %s and %s in front of: %s", width, c.Name, c.State, line)
			}
			if width == 0 && (!strings.Contains(line, c.Image) || !strings.Contains(line, c.Reason)) {
				t.Errorf("piped: want the whole image and reason in: %s", line)
			}
		}
		compareGolden(t, fmt.Sprintf("width-%d", width), table.String())
	}
}

// Even a terminal that is too narrow, or a very long name, has all states.
func TestTableOnNarrowTerminal(t *testing.T) {
	now := time.Now()
	s := mixed(now)
	s.Containers[0].Name = strings.Repeat("long-", 20)
	for _, width := range []int{1, 10, 40, 60} {
		var table strings.Builder
		writeColumns(&table, containerColumns(s.Containers, view{width: width, now: now}), width, "")
		for _, c := range s.Containers {
			if !strings.Contains(table.String(), string(c.State)) {
				t.Errorf("width %d: %s is not in the table:\n%s", width, c.State, table.String())
			}
		}
	}
}

// Colors take no place.
func TestTableInColor(t *testing.T) {
	now := time.Now()
	s := mixed(now)
	var plain, colored strings.Builder
	c := palette(true)
	writeColumns(&plain, containerColumns(s.Containers, view{width: 80, now: now}), 80, "")
	writeColumns(&colored, containerColumns(s.Containers, view{width: 80, now: now, colors: c}), 80, c.off)
	text := colored.String()
	for _, escape := range []string{c.good, c.bad, c.busy, c.off} {
		if !strings.Contains(text, escape) {
			t.Errorf("the table has no %q:\n%s", escape, text)
		}
		text = strings.ReplaceAll(text, escape, "")
	}
	if text != plain.String() {
		t.Errorf("without its colors the table is\n%s\nwant\n%s", text, plain.String())
	}
}

func TestVerdict(t *testing.T) {
	now := time.Now()
	ready := api.Container{Name: "web", Ready: true, ActiveState: "active"}
	other, sick, rolledBack := ready, ready, ready
	other.Name, sick.Name, rolledBack.Name = "db", "sick", "back"
	sick.Health = "unhealthy"
	rolledBack.Update = &api.Update{State: api.OutcomeRolledBack}
	stopped := api.Container{Name: "off", ActiveState: "inactive", Stopped: &api.Stopped{By: "systemctl stop"}}
	agent, docker := api.Agent{Reachable: true}, api.Docker{Reachable: true}
	tests := []struct {
		want string
		s    api.Status
	}{
		{"no container runs", api.Status{Agent: agent, Docker: docker}},
		{"1 container ready", api.Status{Agent: agent, Containers: []api.Container{ready}}},
		{"all 2 containers ready", api.Status{Agent: agent, Containers: []api.Container{ready, other}}},
		{"all 2 containers ready; 1 stopped", api.Status{Agent: agent, Containers: []api.Container{ready, stopped, other}}},
		{"1 stopped", api.Status{Agent: agent, Containers: []api.Container{stopped}}},
		{"1 of 2 containers ready; sick: its health check fails", api.Status{Agent: agent, Containers: []api.Container{ready, sick}}},
		{"1 container ready; back: its update was rolled back", api.Status{Agent: agent, Containers: []api.Container{rolledBack}}},
		{"the agent does not answer; 1 container ready", api.Status{Containers: []api.Container{ready}}},
		{"Docker does not answer; 2 problems; no container runs", api.Status{Agent: agent, Docker: api.Docker{Error: "x"}, Source: api.Source{Problems: []string{"a", "b"}}}},
		{"Docker lacks its runtime; waiting for user data; no container runs", api.Status{Agent: agent, Docker: api.Docker{Reachable: true, Error: "x"}, Source: api.Source{Waiting: "x"}}},
		{"the last known good assignment is in use; the disk is too full; 1 container ready", api.Status{
			Agent: agent, Source: api.Source{LastKnownGood: true, Problems: []string{"a"}}, Housekeeping: &api.Housekeeping{Problem: "x"}, Containers: []api.Container{ready},
		}},
		{"2 of 6 containers ready; 1 stopped; 1 finished; db: its health check fails (and 3 more)", mixed(now)},
	}
	for _, test := range tests {
		for i := range test.s.Containers {
			test.s.Containers[i].Judge()
		}
		if got := verdict(test.s); got != test.want {
			t.Errorf("verdict() = %q, want %q", got, test.want)
		}
	}
}

func TestBrief(t *testing.T) {
	now := time.Now()
	for want, age := range map[string]time.Duration{
		"0s": -time.Second, "119s": 119 * time.Second, "2m": 2 * time.Minute, "119m": 2*time.Hour - time.Second, "2h": 2 * time.Hour, "47h": 48*time.Hour - time.Second, "2d": 48 * time.Hour, "400d": 9600 * time.Hour,
	} {
		at := now.Add(-age)
		if got := brief(&at, now); got != want {
			t.Errorf("brief(%s ago) = %q, want %q", age, got, want)
		}
	}
	if got := brief(nil, now); got != "-" {
		t.Errorf("brief(nil) = %q, want -", got)
	}
}
