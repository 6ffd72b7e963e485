package agent

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/spec"
)

func TestDropIn(t *testing.T) {
	grace := 30
	c := &spec.Container{
		Name: "web", Image: "registry/100%:1", Restart: "on-failure", Config: &container.Config{StopTimeout: &grace},
		DependsOn: []spec.Dependency{{Name: "db", Joined: true}, {Name: "cache"}},
		Unit: []spec.UnitSetting{
			{Section: "Service", Key: "MemoryMax", Value: "512M"},
			{Section: "Unit", Key: "OnFailure", Value: "alert@%n.service"},
			{Section: "Service", Key: "TimeoutStopSec", Value: "5"},
		},
	}
	want := `# Written by dockhost.service, and written anew when the declaration changes.
[Unit]
Description=container web (registry/100%%:1)
After=dockhost@db.service
Requires=dockhost@db.service
After=dockhost@cache.service
Wants=dockhost@cache.service
OnFailure=alert@%n.service

[Service]
TimeoutStopSec=40
Restart=on-failure
RestartSteps=6
RestartMaxDelaySec=1min
DelegateSubgroup=supervisor
MemoryMax=512M
TimeoutStopSec=5
`
	if diff := cmp.Diff(want, string(dropIn(c, 257))); diff != "" {
		t.Errorf("dropIn() (-want +got):\n%s", diff)
	}
}
