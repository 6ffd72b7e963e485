package supervisor

import (
	"testing"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/spec"
)

// An endpoint that Docker kept costs one start, also where ended containers are kept.
func TestKeptEndpointCostsOneStart(t *testing.T) {
	for name, test := range map[string]struct {
		run *spec.Run
		key string
	}{
		"without its container":       {nil, "ep-0123"},
		"of a container that is gone": {nil, "0123456789abcdef"},
		"where containers are kept":   {&spec.Run{Keep: true}, "ep-0123"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run = test.run
			r.onNetworks(spec.Network{Name: "own"})
			r.server.AddNetwork("own")
			r.server.KeepEndpoint("own", test.key, "app")
			l := r.start()
			l.ends(ExitNotRun, `kept the endpoint of an earlier container "app" in network "own"`)
			if test.run == nil {
				l.blames(false)
			}
			l = r.start()
			l.ready()
			l.stop()
			l.exits(0, "")
		})
	}
}

// The endpoint of a container that exists is not taken away.
func TestEndpointOfContainerStays(t *testing.T) {
	r := newRig(t)
	r.onNetworks(spec.Network{Name: "own"})
	r.server.AddNetwork("own")
	other, _, err := r.engine().Create(t.Context(), engine.CreateRequest{Name: "other", Config: &container.Config{Image: "app:1"}, HostConfig: &container.HostConfig{}})
	if err != nil {
		t.Fatal(err)
	}
	r.server.KeepEndpoint("own", other, "app")
	for range 2 {
		r.start().ends(ExitNotRun, `kept the endpoint of an earlier container "app" in network "own"`)
	}
}
