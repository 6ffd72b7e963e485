package housekeeping

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/internal/journal"
)

// Status returns what is wrong with the disk.
func (k *Keeper) Status() api.Housekeeping {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

// Freed returns how many bytes all runs have freed since the start.
func (k *Keeper) Freed() int64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.freed
}

func (k *Keeper) addFreed(bytes int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.freed += bytes
}

// setStatus changes the status, and reports another problem.
func (k *Keeper) setStatus(change func(s *api.Housekeeping)) {
	k.mu.Lock()
	before := k.status.Problem
	change(&k.status)
	changed := before != k.status.Problem
	k.mu.Unlock()
	if changed {
		k.Changed()
	}
}

// setOutcome sets the status after a run. full says that the disk is still too full
// and nothing more can be removed. Then the status says what fills the disk, which
// takes long to find out: once, until there is room again, or a pull does not fit.
func (k *Keeper) setOutcome(ctx context.Context, plan *api.GC, disk Disk, full bool, need int64) {
	now := k.Now()
	before := k.setStuck(full, now)
	problem := ""
	if full {
		plan.Holds = before.Holds
		if len(plan.Holds) == 0 || need > disk.Free {
			plan.Holds = k.holdsOf(ctx, disk.Root)
		}
		problem = fmt.Sprintf("the file system of %s is %d%% full (inodes: %d%%), and no more can be removed (see: dockhostctl gc --dry-run)",
			disk.Root, disk.used(), disk.filesUsed())
	}
	k.setStatus(func(s *api.Housekeeping) {
		s.Problem, s.Holds, s.LastRun, s.Error = problem, plan.Holds, &now, ""
	})
	if full && before.Problem == "" {
		journal.Problem.Error(k.Log, "disk too full, and no more can be removed", zap.String("problem", problem))
		for _, h := range plan.Holds {
			k.Log.Error("what fills the disk", zap.String("what", h.What), zap.Int64("bytes", h.Bytes), zap.String("cure", h.Cure))
		}
	}
}

// setStuck notes whether the disk is still too full, and returns the status so far.
func (k *Keeper) setStuck(full bool, now time.Time) api.Housekeeping {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.stuck = time.Time{}
	if full {
		k.stuck = now
	}
	return k.status
}

// noteRoom takes the problem back once there is room, however it was made.
func (k *Keeper) noteRoom(policy Policy) {
	k.mu.Lock()
	root, problem := k.roots.images, k.status.Problem
	k.mu.Unlock()
	if problem == "" || root == "" {
		return
	}
	disk, err := k.Statfs(root)
	if err != nil {
		return
	}
	if _, _, full := k.crowded(policy, disk, k.need(disk)); full {
		return
	}
	k.setStuck(false, k.Now())
	k.setStatus(func(s *api.Housekeeping) { s.Problem, s.Holds = "", nil })
	journal.Solved.Log(k.Log, zap.String("problem", problem), zap.String("root", root))
}
