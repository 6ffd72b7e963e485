package supervisor

import (
	"fmt"
	"os"
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
)

// procStat returns /proc/PID/stat of a process with that start time.
func procStat(pid, start int) string {
	return fmt.Sprintf("%d (some (odd) name) S 1 1 1 0 -1 4194560 1 1 0 0 0 0 0 0 20 0 8 0 %d 1 1", pid, start)
}

// A container that has the name is replaced, unless another process owns it.
func TestNameTaken(t *testing.T) {
	const (
		alive  = "7/300/b007"
		dead   = "8/300/b007"
		reused = "7/200/b007"
		before = "7/300/b006"
	)
	run := &spec.Run{Stdout: true, Stderr: true}
	tests := []struct {
		name             string
		run              *spec.Run
		unit, supervisor string
		running          bool
		problem          string
		copied           bool
	}{
		{"leftover", nil, unitName, dead, false, "", false},
		{"leftover that runs", nil, unitName, dead, true, "", false},
		{"leftover whose pid is another's now", nil, unitName, reused, true, "", false},
		{"leftover of an earlier boot", nil, unitName, before, false, "", false},
		{"leftover of an older dockhost", nil, unitName, "", true, "", false},
		{"of another process of the unit", run, unitName, alive, true, `a container named "app" belongs to process 7 of this unit`, false},
		{"a stranger", nil, "", "", true, `a container named "app" exists that dockhost did not create (give it another name: docker rename app app-old, or remove it: docker rm -f app)`, false},
		{"a stranger that has ended", nil, "", "", false, `a container named "app" exists that dockhost did not create`, false},
		{"a stranger, in a unit of its own", run, "", "", true, `a container named "app" exists that dockhost did not create`, false},
		{"a stranger that has ended, in a unit of its own", run, "", "", false, `a container named "app" exists that dockhost did not create`, false},
		{"another unit's", nil, "web.service", alive, true, `a container named "app" belongs to web.service (stop that unit, or use another name)`, false},
		{"another unit's, being made", run, "web.service", alive, false, `a container named "app" belongs to web.service`, false},
		{"another unit's, handed over", run, "web.service", dead, true, `a container named "app" belongs to web.service`, false},
		{"another unit's, kept", run, "web.service", dead, false, "", false},
		{"of a unit that has ended", run, "old.service", dead, true, "", false},
		{"of a terminal", run, "", alive, true, `a container named "app" belongs to process 7 (end that, or use another name)`, false},
		{"of a terminal that is gone", run, "", dead, true, "", false},
		{"of an image that an operator made from a container", nil, unitName, dead, false, `a container named "app" exists that dockhost did not create`, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run = test.run
			r.units.active = "web.service"
			r.command("-exit-after", "10ms")
			r.write("proc/7/stat", procStat(7, 300))
			docker := r.engine()
			config, host := &container.Config{Image: "app:1", Labels: map[string]string{}}, &container.HostConfig{}
			if test.unit != "" {
				config.Labels[request.LabelUnit] = test.unit
				host.CgroupParent = placement.CgroupParent(test.unit)
			}
			if test.copied {
				host.CgroupParent = ""
			}
			if test.supervisor != "" {
				config.Labels[request.LabelSupervisor] = test.supervisor
			}
			old, _, err := docker.Create(t.Context(), engine.CreateRequest{Name: "app", Config: config, HostConfig: host})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.MkdirAll(r.dir.RuntimeDir(), 0o755); err != nil {
				t.Fatal(err)
			}
			if test.problem == "" {
				if err := placement.Write(r.dir.RuntimeDir(), old, placement.Placement{Unit: unitName, CgroupPath: unitCgroup + "/container"}); err != nil {
					t.Fatal(err)
				}
			}
			if test.running {
				if err := docker.Start(t.Context(), old); err != nil {
					t.Fatal(err)
				}
			}
			l := r.start()
			if test.problem == "" {
				l.ends(0, "")
				return
			}
			l.exits(ExitNotRun, test.problem)
			if found, err := docker.Inspect(t.Context(), old); err != nil || found.Running != test.running {
				t.Errorf("Inspect() of the other container = %+v, %v, want it unchanged", found, err)
			}
		})
	}
}
