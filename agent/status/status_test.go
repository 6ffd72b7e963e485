package status

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

type fakeEngine struct {
	info   engine.Info
	err    error
	health string
}

func (fakeEngine) Activity(context.Context) <-chan struct{} { return nil }

func (f fakeEngine) Info(context.Context) (engine.Info, error) { return f.info, f.err }
func (f fakeEngine) Inspect(_ context.Context, id string) (engine.Container, error) {
	return engine.Container{ID: id, Health: f.health, Running: id == "cdef"}, f.err
}

// fakeUnits are the active states by unit.
type fakeUnits map[string]string

func (f fakeUnits) Unit(_ context.Context, name string) (systemd.Unit, error) {
	return systemd.Unit{Name: name, ActiveState: f[name], SubState: "sub"}, nil
}

func (f fakeUnits) Units(context.Context, string) ([]string, error) {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	return names, nil
}

func (f fakeUnits) Failing(context.Context, func([]string) bool) ([]string, error) { return nil, nil }

func (f fakeUnits) Version(context.Context) (int, error) { return 0, nil }

func TestContainers(t *testing.T) {
	dir := rundir.Dir(t.TempDir())
	assigned := spec.Container{Name: "web", Image: "nginx:1"}
	if err := dir.WriteContainer(&assigned); err != nil {
		t.Fatal(err)
	}
	state := rundir.State{Phase: "running", Ready: true, ConfigHash: assigned.Hash(), ContainerID: "0123", Image: "nginx:1", Digest: "sha256:aa", LastError: &rundir.Failure{Message: "it broke"}}
	if err := dir.WriteState("web", state); err != nil {
		t.Fatal(err)
	}
	g := Gatherer{
		Dir: dir, Engine: fakeEngine{health: "healthy"},
		Units: fakeUnits{"dockhost@web.service": "active", "dockhost@stray.service": "failed"},
	}
	got, err := g.Containers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []api.Container{
		{Name: "stray", Unit: "dockhost@stray.service", ActiveState: "failed", SubState: "sub"},
		{
			Name: "web", Unit: "dockhost@web.service", ActiveState: "active", SubState: "sub", Phase: "running", Since: &state.Since,
			Image: "nginx:1", Digest: "sha256:aa", ID: "0123", Ready: true, Health: "healthy", LastError: &api.Failure{Message: "it broke"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Containers() (-want +got):\n%s", diff)
	}

	// A supervisor that was killed left a state that says ready.
	g.Units = fakeUnits{"dockhost@web.service": "failed"}
	if got, err := g.Containers(t.Context()); err != nil || got[0].Ready {
		t.Errorf("Containers() = %+v, %v, want web not ready", got, err)
	}

	// The unit is about to restart with another declaration.
	g.Units = fakeUnits{"dockhost@web.service": "active"}
	if err := dir.WriteContainer(&spec.Container{Name: "web", Image: "nginx:2"}); err != nil {
		t.Fatal(err)
	}
	if got, err := g.Containers(t.Context()); err != nil || got[0].Ready || got[0].Image != "nginx:1" || !got[0].Outdated {
		t.Errorf("Containers() = %+v, %v, want nginx:1, which is not what is assigned, not ready", got, err)
	}
}

func TestDocker(t *testing.T) {
	registered := map[string]string{"dockhost": "/x"}
	tests := []struct {
		name   string
		engine fakeEngine
		want   api.Docker
	}{
		{"well", fakeEngine{info: engine.Info{Version: "26", Runtimes: registered}}, api.Docker{Reachable: true, Version: "26", RuntimeRegistered: true}},
		{"not set up", fakeEngine{info: engine.Info{Version: "26"}}, api.Docker{Reachable: true, Version: "26", Error: `runtime "dockhost" is not registered with Docker (run: dockhost setup)`}},
		{"away", fakeEngine{err: errors.New("no answer")}, api.Docker{Error: "no answer (see: systemctl status docker.service)"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := Gatherer{Engine: test.engine, Runtime: "dockhost"}.Docker(t.Context())
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("Docker() (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWell(t *testing.T) {
	ready := []api.Container{{Ready: true, Health: "healthy"}}
	tests := []struct {
		name string
		s    api.Status
		want bool
	}{
		{"ready", api.Status{Containers: ready}, true},
		{"nothing assigned", api.Status{}, true},
		{"not ready", api.Status{Containers: []api.Container{{}}}, false},
		{"unhealthy", api.Status{Containers: []api.Container{{Ready: true, Health: "unhealthy"}}}, false},
		{"cached image", api.Status{Containers: []api.Container{{Ready: true, Cached: true}}}, false},
		{"change pending", api.Status{Containers: []api.Container{{Ready: true, Pending: &api.Pending{}}}}, false},
		{"last known good", api.Status{Containers: ready, Source: api.Source{LastKnownGood: true}}, false},
		{"problem", api.Status{Containers: ready, Source: api.Source{Problems: []string{"x"}}}, false},
		{"docker", api.Status{Containers: ready, Docker: api.Docker{Error: "x"}}, false},
	}
	for _, test := range tests {
		if got := Well(test.s); got != test.want {
			t.Errorf("Well(%s) = %v, want %v", test.name, got, test.want)
		}
	}
}
