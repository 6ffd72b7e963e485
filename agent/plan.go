package agent

import (
	"slices"

	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

// hashed is a container with the hash of its configuration, which takes long
// enough to be computed once.
type hashed struct {
	*spec.Container
	hash string
	// again starts the container even if it has ended for good.
	again bool
}

func withHash(c *spec.Container) hashed { return hashed{Container: c, hash: c.Hash()} }

// endedForGood reports whether a container whose unit is not up stays so, by its
// restart policy. systemd restarts a unit that failed, unless the number of its
// starts is limited and used up. (Its result is then still that of the last run.)
func (h hashed) endedForGood(state rundir.State, unit systemd.Unit) bool {
	limited := slices.ContainsFunc(h.Unit, func(s spec.UnitSetting) bool { return s.Key == "StartLimitBurst" })
	spent := limited && h.Restart == "on-failure" && unit.ActiveState == "failed" && state.Phase == "ended" && state.ContainerID != ""
	return spent || state.EndedForGood() && state.Restart == h.Restart
}

// plan is what a reconcile puts in force.
type plan struct {
	// accepted is in force from now on; nil when nothing was ever declared.
	accepted *accepted
	// current are its containers that are new or unchanged.
	current []hashed
	// successors replace the others once all that they need is there.
	successors []hashed
}

// staysOnNetwork reports whether a container only leaves the network of its project,
// because it is now the only one of the project. It then stays as it is.
func staysOnNetwork(old, next *spec.Container) bool {
	return old.OnDefaultNetwork() && next.HostConfig.NetworkMode.IsDefault() && next.WithNetworksOf(old).Hash() == old.Unpinned().Hash()
}

// newPlan decides what is in force from now on: everything that is declared,
// except that a container with a successor stays as it was.
func newPlan(t target) plan {
	if t.next == nil {
		return plan{accepted: t.old}
	}
	next := *t.next
	next.Assignment.Containers = slices.Clone(t.next.Assignment.Containers)
	p := plan{accepted: &next}
	for i := range t.next.Assignment.Containers {
		declared := withHash(&t.next.Assignment.Containers[i])
		old := t.old.container(declared.Name)
		switch {
		case old == nil || old.Hash() == declared.hash:
			p.current = append(p.current, declared)
		case old.Pin != nil && old.Unpinned().Hash() == declared.hash:
			next.Assignment.Containers[i].Pin = old.Pin
			p.current = append(p.current, withHash(&next.Assignment.Containers[i]))
		case staysOnNetwork(old, declared.Container):
			// Its neighbours are gone, which is no reason to replace it.
			next.Assignment.Containers[i] = *declared.WithNetworksOf(old)
			next.Assignment.Containers[i].Pin = old.Pin
			p.current = append(p.current, withHash(&next.Assignment.Containers[i]))
		default:
			next.Assignment.Containers[i] = *old
			p.successors = append(p.successors, declared)
		}
	}
	return p
}
