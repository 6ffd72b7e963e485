package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/supervisor/owner"
	"github.com/dockhost/dockhost/supervisor/placement"
	"github.com/dockhost/dockhost/supervisor/request"
	"github.com/dockhost/dockhost/systemd"
)

// containerStore is what the agent needs from Docker to find and remove the
// containers that supervisors left.
type containerStore interface {
	Containers(ctx context.Context) ([]engine.StoredContainer, error)
	Inspect(ctx context.Context, id string) (engine.Container, error)
	Remove(ctx context.Context, id string) error
}

// sweeper removes what dockhost made and nothing owns any more: a supervisor that
// was killed, or that Docker did not answer, cannot clean up, and without an
// assignment no other one follows. It never removes a volume, nor a container of a
// unit that someone wrote.
type sweeper struct {
	root     string
	dir      rundir.Dir
	docker   containerStore
	systemd  unitManager
	cgroups  systemd.Cgroups
	files    *fileSweeper
	networks *networkSweeper
	shims    *shimSweeper
	// mayAsk reports whether Docker may be asked.
	mayAsk func(ctx context.Context) bool
	wake   chan struct{}
	log    *zap.Logger
}

func newSweeper(o Options, dir rundir.Dir, a *Agent) *sweeper {
	return &sweeper{
		root: o.Root, dir: dir, docker: o.Engine, systemd: o.Units, cgroups: systemd.Cgroups{Root: o.Root},
		files:    &fileSweeper{dir: dir, systemd: o.Units, dropIns: a.units.dropIns, store: a.store, deployer: a.deployer, log: o.Log},
		networks: &networkSweeper{engine: o.Engine, store: a.store, deployer: a.deployer, dir: dir, log: o.Log},
		shims:    newShimSweeper(o), mayAsk: a.house.mayAskDocker, wake: make(chan struct{}, 1), log: o.Log,
	}
}

// wakeUp requests a sweep.
func (s *sweeper) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sweeps on request until ctx ends. What could not be removed is tried again,
// and once Docker is started if it does not run.
func (s *sweeper) run(ctx context.Context) {
	var docker <-chan struct{}
	var retry <-chan time.Time
	var tries backoff.Backoff
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
			tries = backoff.Backoff{Next: time.Second, Cap: time.Minute}
		case _, open := <-docker:
			if !open {
				docker = nil
			}
		case <-retry:
		}
		retry = nil
		if err := s.files.sweep(ctx); err != nil {
			s.log.Warn("files of containers that are not assigned any more not removed", zap.Error(err))
		}
		switch {
		case !s.mayAsk(ctx):
			if docker == nil {
				docker, _ = s.systemd.Watch(ctx, dockerUnit)
			}
		case !s.sweep(ctx):
			retry = time.After(tries.Step())
		}
	}
}

// sweep removes containers, then their placements, shims that are left, then networks.
// It returns false if it has to be repeated.
func (s *sweeper) sweep(ctx context.Context) bool {
	// Read first: a container is created before its placement is written.
	placed, err := placement.IDs(s.dir.RuntimeDir())
	if err != nil {
		s.log.Warn("leftover placements not found", zap.Error(err))
	}
	containers, err := s.docker.Containers(ctx)
	if err != nil {
		return false
	}
	done := true
	left := map[string]bool{}
	for _, c := range containers {
		left[c.ID] = true
		if _, ours := spec.ContainerName(c.Labels[request.LabelUnit]); !ours {
			continue
		}
		gone, err := s.sweepContainer(ctx, c.ID)
		if err != nil {
			s.log.Warn("leftover container not removed", zap.String("container", c.Name), zap.Error(err))
			done = false
		}
		left[c.ID] = !gone
	}
	for _, id := range placed {
		if !left[id] && !s.isPlaced(id) {
			if err := placement.Remove(s.dir.RuntimeDir(), id); err != nil {
				s.log.Warn("leftover placement not removed", zap.Error(err))
			}
		}
	}
	owner.SweepSockets(s.dir.RuntimeDir())
	if err := s.shims.sweep(ctx, left); err != nil {
		s.log.Warn("leftover shim not ended", zap.Error(err))
		done = false
	}
	if err := s.networks.sweep(ctx); err != nil {
		return false
	}
	return done
}

// errStopping means that a unit has not stopped yet.
var errStopping = errors.New("its unit is still stopping")

// sweepContainer removes a container of an assigned container's unit if no
// supervisor owns it any more, whatever it is named by now. It returns true if the
// container is gone.
func (s *sweeper) sweepContainer(ctx context.Context, id string) (gone bool, err error) {
	c, err := s.docker.Inspect(ctx, id)
	if errors.Is(err, engine.ErrNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	name, made := owner.Unit(c)
	if !made || owner.Runs(s.root, c.Labels[request.LabelSupervisor]) {
		return false, nil
	}
	unit, err := s.systemd.Unit(ctx, name)
	switch {
	case err != nil && !errors.Is(err, systemd.ErrNoUnit):
		return false, err
	case unit.ActiveState == "deactivating":
		return false, errStopping
	case unit.Active() && c.Status != "exited" && c.Status != "dead":
		return false, nil // the unit's next supervisor replaces it
	}
	s.log.Info("removing a container that its supervisor left", zap.String("container", c.Name), zap.String("container_id", id))
	if err := s.docker.Remove(ctx, id); err != nil {
		return false, err
	}
	if !unit.Active() {
		if p, err := placement.Read(s.dir.RuntimeDir(), id); err == nil {
			s.cgroups.Prune(p.UnitCgroup())
		}
	}
	return true, nil
}

// isPlaced says whether a placement belongs to a unit whose cgroup exists: its
// supervisor may be about to use it, or to remove it.
func (s *sweeper) isPlaced(id string) bool {
	p, err := placement.Read(s.dir.RuntimeDir(), id)
	return err == nil && s.cgroups.Exists(p.UnitCgroup())
}

// fileSweeper removes files of containers that are not assigned any more, and has
// systemd forget that their units failed.
type fileSweeper struct {
	dir      rundir.Dir
	systemd  unitManager
	dropIns  dropIns
	store    *store
	deployer *deployer
	log      *zap.Logger
}

// sweep removes the files of every name that is not assigned and whose unit does not
// run. It does nothing before it is known what is assigned.
func (s *fileSweeper) sweep(ctx context.Context) error {
	return s.deployer.undisturbed(func() error {
		stored := s.store.snapshot()
		if !stored.known || stored.accepted == nil {
			return nil
		}
		failed, err := s.systemd.Units(ctx, spec.UnitName("*"))
		errs := []error{err, s.dir.RemoveUnfinished()}
		names, err := s.dir.Names()
		errs = append(errs, err)
		names = append(names, s.dropIns.names()...)
		for _, unit := range failed {
			if name, ours := spec.ContainerName(unit); ours {
				names = append(names, name)
			}
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			_, pending := stored.pending[name]
			_, declared := stored.accepted.declared(name)
			if !pending && !declared && stored.accepted.container(name) == nil {
				errs = append(errs, s.remove(ctx, name))
			}
		}
		return errors.Join(errs...)
	})
}

// remove removes the files of one name unless its unit runs.
func (s *fileSweeper) remove(ctx context.Context, name string) error {
	unit, err := s.systemd.Unit(ctx, spec.UnitName(name))
	switch {
	case err != nil && !errors.Is(err, systemd.ErrNoUnit):
		return err
	case unit.Active() || unit.ActiveState == "deactivating" || unit.Job:
		return nil
	}
	if err := s.deployer.units.forgetFailure(ctx, spec.UnitName(name)); err != nil && !errors.Is(err, systemd.ErrNoUnit) {
		return err
	}
	return errors.Join(s.dir.RemoveContainer(name), s.dropIns.remove(name))
}
