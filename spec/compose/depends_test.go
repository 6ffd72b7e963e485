package compose

import (
	"strings"
	"testing"

	"github.com/dockhost/dockhost/spec"
)

func TestConditions(t *testing.T) {
	assignment, err := parse(t, `dockhost:
  containers:
    app:
      image: x
      depends_on:
        db: {condition: service_healthy, restart: true}
        api: {condition: service_healthy}
        migrate: {condition: service_completed_successfully}
        absent: {condition: service_started, required: false}
    db: {image: x}
    api: {image: x, x-dockhost: {notify: "tcp:80"}}
    migrate: {image: x}
`)
	if err != nil {
		t.Fatal(err)
	}
	api, app, db, migrate := assignment.Containers[0], assignment.Containers[1], assignment.Containers[2], assignment.Containers[3]
	if db.Notify != spec.NotifyHealthy || api.Notify != "tcp:80" {
		t.Errorf("notify of db = %s, of api = %s, want healthy and its own", db.Notify, api.Notify)
	}
	if !migrate.Completes || migrate.Restart != "on-failure" || db.Completes {
		t.Errorf("migrate = %+v, want that it completes", migrate)
	}
	want := []spec.Dependency{
		{Name: "db", Condition: spec.ConditionHealthy, Restart: true},
		{Name: "api", Condition: spec.ConditionHealthy},
		{Name: "migrate", Condition: spec.ConditionCompleted},
	}
	if len(app.DependsOn) != len(want) {
		t.Fatalf("DependsOn = %+v, want %+v", app.DependsOn, want)
	}
	for i := range want {
		if app.DependsOn[i] != want[i] {
			t.Errorf("DependsOn[%d] = %+v, want %+v", i, app.DependsOn[i], want[i])
		}
	}
}

func TestConditionErrors(t *testing.T) {
	for other, want := range map[string]string{
		"condition: service_healthy / healthcheck: {disable: true}":                       "its health check is disabled",
		"condition: service_healthy / x-dockhost: {notify: off}":                          "it has notify: off",
		"condition: service_completed_successfully / restart: always":                     "it is always restarted",
		"condition: service_completed_successfully / x-dockhost: {notify: healthy}":       "it has a notify of its own",
		"condition: service_completed_successfully / x-dockhost: {reload: {signal: HUP}}": "it has a reload",
	} {
		condition, keys, _ := strings.Cut(other, " / ")
		_, err := parse(t, "dockhost:\n  containers:\n    app: {image: x, depends_on: {db: {"+condition+"}}}\n    db: {image: x, "+keys+"}\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "containers.app.depends_on.db") {
			t.Errorf("Parse(%s) error = %v, want %q", other, err, want)
		}
	}
}
