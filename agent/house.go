package agent

import (
	"context"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/rundir"
)

// dockerUnit is the unit that runs Docker on most hosts.
const dockerUnit = "docker.service"

// house tells housekeeping what it may remove, and runs it.
type house struct {
	// keeper is nil without housekeeping.
	keeper  *housekeeping.Keeper
	dir     rundir.Dir
	config  *configuration
	store   *store
	fetcher *fetcher
	systemd unitManager
	log     *zap.Logger
}

func newHouse(o Options, dir rundir.Dir, a *Agent) *house {
	h := &house{dir: dir, config: a.config, store: a.store, fetcher: a.fetcher, systemd: o.Units, log: o.Log}
	if o.Store != nil {
		h.keeper = housekeeping.New(housekeeping.Options{
			Root: o.Root, Dir: dir, Docker: o.Store, Policy: h.policy, Assigned: h.assigned, Wanted: h.mayAskDocker,
			Changed: a.reporter.update, Looked: func() { a.cures.lookAgain() }, Log: o.Log,
		})
	}
	return h
}

// run keeps the disk from filling until ctx ends.
func (h *house) run(ctx context.Context) {
	if h.keeper == nil {
		return
	}
	h.keeper.Run(ctx)
}

// look has housekeeping look at the disk.
func (h *house) look() {
	if h.keeper != nil {
		h.keeper.Look()
	}
}

// policy is the default, changed by dockhost.yaml and then by the user data. While
// dockhost.yaml cannot be read, housekeeping is off: the file may say so.
func (h *house) policy() housekeeping.Policy {
	policy := housekeeping.DefaultPolicy()
	c, _ := h.config.get()
	if c == nil {
		policy.Off = true
		return policy
	}
	policy = policy.With(c.Housekeeping)
	if accepted := h.store.snapshot().accepted; accepted != nil {
		policy = policy.With(accepted.UserData.Housekeeping)
	}
	return policy
}

// assigned returns the images of all containers that are in force, declared, or
// pending, and the names of those in force.
func (h *house) assigned() housekeeping.Assigned {
	s := h.store.snapshot()
	var assigned housekeeping.Assigned
	for d := range s.accepted.declarations {
		assigned.Images = append(assigned.Images, d.container.Image)
		assigned.Declared = append(assigned.Declared, d.container.Name)
	}
	for _, p := range s.pending {
		assigned.Images = append(assigned.Images, p.Image)
	}
	if s.accepted != nil {
		for _, c := range s.accepted.Assignment.Containers {
			assigned.Images = append(assigned.Images, c.Image)
			assigned.Images = append(assigned.Images, c.ImageNames()...)
			assigned.Images = append(assigned.Images, keptImage("current", c.Name), keptImage("previous", c.Name))
			assigned.Names = append(assigned.Names, c.Name)
			assigned.Declared = append(assigned.Declared, c.Name)
		}
	}
	return assigned
}

// mayAskDocker reports whether housekeeping may ask Docker without a request. It
// may not before it is known what is assigned, and not after an operator has
// stopped Docker: its socket would start it again.
func (h *house) mayAskDocker(ctx context.Context) bool {
	if !h.knowsAssignment() {
		return false
	}
	unit, err := h.systemd.Unit(ctx, dockerUnit)
	return err != nil || unit.ActiveState != "inactive" && unit.ActiveState != "failed" || unit.LoadState == "not-found"
}

// knowsAssignment reports whether it is known what is assigned. While a new
// instance waits for its metadata service, anything may be.
func (h *house) knowsAssignment() bool {
	s := h.store.snapshot()
	return s.known && (s.accepted != nil || h.fetcher.waiting() == "")
}
