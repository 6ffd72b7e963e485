package supervisor

import (
	"testing"

	"github.com/dockhost/dockhost/spec"
)

// An endpoint that Docker kept costs one start, also where ended containers are kept.
func TestKeptEndpointCostsOneStart(t *testing.T) {
	for name, run := range map[string]*spec.Run{"assigned": nil, "kept": {Keep: true}} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.spec.Run = run
			r.onNetworks(spec.Network{Name: "own"})
			r.server.AddNetwork("own")
			r.server.KeepEndpoint("own", "app")
			l := r.start()
			l.ends(ExitNotRun, `kept the endpoint of an earlier container "app" in network "own"`)
			if run == nil {
				l.blames(false)
			}
			l = r.start()
			l.ready()
			l.stop()
			l.exits(0, "")
		})
	}
}
