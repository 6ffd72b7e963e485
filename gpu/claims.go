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

// Claim is another container's claim to GPUs.
type Claim struct {
	// Holder is the container's unit.
	Holder string
	// Exclusive says that the container shares its GPUs with no other.
	Exclusive bool
	// GPUs are the UUIDs of the GPUs that a running container has, and Requests the
	// requests of an assigned container.
	GPUs     []string
	Requests []spec.GPURequest
}

// checkShared returns an error if another container claims one of the devices
// and one of the two containers needs it exclusively.
func (pool Pool) checkShared(needs *spec.GPUNeeds, devices []device, others []Claim) error {
	for _, other := range others {
		if !needs.Exclusive && !other.Exclusive {
			continue
		}
		claimed := slices.Concat(other.GPUs, pool.claimed(other.Requests))
		for _, d := range devices {
			for _, id := range d.ids {
				if slices.Contains(claimed, id) {
					return fmt.Errorf("GPU %s is also claimed by %s, and %s needs it exclusively (give them different device_ids, or remove exclusive)",
						pool.called(id), other.Holder, exclusiveOne(other))
				}
			}
		}
	}
	return nil
}

func exclusiveOne(other Claim) string {
	if other.Exclusive {
		return "that unit"
	}
	return "this container"
}

// claimed returns the UUIDs of the pool's GPUs that requests mean.
func (pool Pool) claimed(requests []spec.GPURequest) []string {
	wholes := pool.wholes()
	var ids []string
	for _, r := range requests {
		if r.Count == spec.AllGPUs {
			ids = append(ids, pool.all().ids...)
		}
		for _, p := range wholes[:max(0, min(r.Count, len(wholes)))] {
			ids = append(ids, p.ids...)
		}
		for _, name := range r.Devices {
			if p, found := pool.named(name); found {
				ids = append(ids, p.ids...)
			}
		}
	}
	return ids
}

// called returns the index of the part with a UUID.
func (pool Pool) called(id string) string {
	for _, p := range pool.parts() {
		if len(p.ids) == 1 && p.ids[0] == id {
			return p.names[0]
		}
	}
	return id
}

// Claims returns the claims of all units except this one: of assigned containers
// and of running ones. cgroups is the directory where the host's cgroup trees
// are mounted.
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
			continue // it needs no GPU, or it was just removed
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

// unitRuns says whether the unit of a placement is up. A supervisor that was
// killed leaves its placement behind.
func unitRuns(cgroups string, p placement.Placement) bool {
	for _, tree := range []string{"", "systemd"} {
		if _, err := os.Stat(filepath.Join(cgroups, tree, p.UnitCgroup())); err == nil {
			return true
		}
	}
	return false
}
