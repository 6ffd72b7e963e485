package gpu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/placement"
)

// Claim is what another container has, or asks for.
type Claim struct {
	// Holder is the container's unit.
	Holder string
	// Exclusive says that it shares its GPUs with nobody.
	Exclusive bool
	// GPUs are those that it has, by UUID, where it runs, and Requests are what
	// it asks for, where it is assigned.
	GPUs     []string
	Requests []spec.GPURequest
}

// checkShared returns an error where a GPU is another container's, too, and one
// of the two is to have it alone.
func (gpus Inventory) checkShared(asked *spec.GPU, devices []device, others []Claim) error {
	for _, other := range others {
		if !asked.Exclusive && !other.Exclusive {
			continue
		}
		theirs := slices.Concat(other.GPUs, gpus.claimed(other.Requests))
		for _, d := range devices {
			for _, id := range d.ids {
				if slices.Contains(theirs, id) {
					return fmt.Errorf("GPU %s is asked for by %s, too, and %s is to have it alone (give them different device_ids, or remove exclusive)",
						gpus.called(id), other.Holder, alone(other))
				}
			}
		}
	}
	return nil
}

func alone(other Claim) string {
	if other.Exclusive {
		return "that one"
	}
	return "this container"
}

// claimed are the GPUs that requests mean, as far as there are such.
func (gpus Inventory) claimed(requests []spec.GPURequest) []string {
	wholes := gpus.wholes()
	var ids []string
	for _, r := range requests {
		if r.Count == spec.AllGPUs {
			ids = append(ids, gpus.all().ids...)
		}
		for _, p := range wholes[:max(0, min(r.Count, len(wholes)))] {
			ids = append(ids, p.ids...)
		}
		for _, name := range r.Devices {
			if p, found := gpus.named(name); found {
				ids = append(ids, p.ids...)
			}
		}
	}
	return ids
}

// called is the index of the part with an id.
func (gpus Inventory) called(id string) string {
	for _, p := range gpus.parts() {
		if len(p.ids) == 1 && p.ids[0] == id {
			return p.names[0]
		}
	}
	return id
}

// Claims returns what the containers of other units than this one have, or ask
// for: the assigned ones, and those that run. cgroups is where the host's
// cgroup trees are mounted.
func Claims(dir rundir.Dir, unit, cgroups string) ([]Claim, error) {
	names, err := dir.Containers()
	if err != nil {
		return nil, err
	}
	var claims []Claim
	for _, name := range names {
		c, err := dir.Container(name)
		holder := spec.UnitName(name)
		if err != nil || c.GPU == nil || holder == unit {
			continue // or it has just been removed
		}
		claims = append(claims, Claim{Holder: holder, Exclusive: c.GPU.Exclusive, Requests: c.GPU.Requests})
	}
	placed, err := placement.All(dir.RuntimeDir())
	for _, p := range placed {
		if p.Unit != unit && len(p.GPUs) > 0 && unitRuns(cgroups, p) {
			claims = append(claims, Claim{Holder: p.Unit, Exclusive: p.Exclusive, GPUs: p.GPUs})
		}
	}
	return claims, err
}

// unitRuns says whether a placement is of a unit that is up: a supervisor that
// was killed leaves its own.
func unitRuns(cgroups string, p placement.Placement) bool {
	for _, tree := range []string{"", "systemd"} {
		if _, err := os.Stat(filepath.Join(cgroups, tree, p.UnitCgroup())); err == nil {
			return true
		}
	}
	return false
}
