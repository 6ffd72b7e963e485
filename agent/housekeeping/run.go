package housekeeping

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
)

// Plan returns what a run would do now. If that would not free enough, it also says
// what fills the disk.
func (k *Keeper) Plan(ctx context.Context) (api.GC, error) {
	in, err := k.gather(ctx)
	if err != nil {
		return api.GC{}, err
	}
	plan := Make(in, k.Policy())
	plan.DockerDisk = k.dataAnswer(in.Disk, k.Policy())
	if plan.Frees < plan.Disk.Wanted && !limited(plan) {
		plan.Holds = k.holdsOf(ctx, in.Disk.Root)
	} else if data, separate := k.dataDisk(in.Disk); separate && data.full(k.Policy(), 0) {
		plan.Holds = k.holdsOf(ctx, data.Root)
	}
	return plan, nil
}

// limited reports whether another run may remove more.
func limited(plan api.GC) bool {
	return slices.ContainsFunc(plan.Images, func(image api.GCImage) bool { return image.Rule == ruleLimit })
}

// Collect makes a run. The result says what was done, even with an error.
func (k *Keeper) Collect(ctx context.Context, cause string) (api.GC, error) {
	return k.collect(ctx, cause, 0)
}

// MakeRoom makes a run for a pull that needs about need bytes, and returns how many
// bytes it freed. The error says how much is missing, and what holds the space.
func (k *Keeper) MakeRoom(ctx context.Context, need int64) (freed int64, err error) {
	policy := k.Policy()
	if policy.Off {
		return 0, errors.New("housekeeping is off (housekeeping in dockhost.yaml)")
	}
	if disk, err := k.disk(ctx); err == nil && !disk.holds(need) {
		return 0, fmt.Errorf("about %s are needed, and %s has %s in all, so nothing was removed (use a larger disk or a smaller image; see: dockhostctl gc --dry-run)",
			units.HumanSize(float64(need)), disk.Root, units.HumanSize(float64(disk.Used+disk.Free)))
	}
	done, err := k.collect(ctx, "a pull does not fit", need)
	if err != nil {
		return done.Freed, err
	}
	disk, err := k.Statfs(done.Disk.Root)
	if err != nil || disk.Free >= need {
		return done.Freed, err
	}
	var holders []string
	for _, h := range done.Holds {
		holders = append(holders, fmt.Sprintf("%s (%s)", h.What, units.HumanSize(float64(h.Bytes))))
	}
	return done.Freed, fmt.Errorf("%s has %s left, about %s are missing, and nothing more can be removed; most is held by %s (see: dockhostctl gc --dry-run)",
		disk.Root, units.HumanSize(float64(disk.Free)), units.HumanSize(float64(need-disk.Free)), strings.Join(holders, ", "))
}

func (k *Keeper) collect(ctx context.Context, cause string, need int64) (api.GC, error) {
	k.running.Lock()
	defer k.running.Unlock()
	in, err := k.gather(ctx)
	if err != nil {
		k.setStatus(func(s *api.Housekeeping) { s.Error = err.Error() })
		return api.GC{}, err
	}
	policy := k.Policy()
	if in.Disk.holds(need) {
		in.Need = max(in.Need, need)
	}
	plan := Make(in, policy)
	plan.Done, plan.DockerDisk = true, k.dataAnswer(in.Disk, policy)
	k.removeContainers(ctx, &plan)
	k.removeImages(ctx, &plan, in, policy)
	k.removeRest(ctx, &plan, policy)
	after, err := k.Statfs(in.Disk.Root)
	if err != nil {
		return plan, err
	}
	plan.Freed = max(in.Disk.Used-after.Used, 0)
	k.addFreed(plan.Freed)
	disk, need, full := k.crowded(policy, after, in.Need)
	k.setOutcome(ctx, &plan, disk, full && !limited(plan), need)
	k.logRun(plan, cause)
	return plan, ctx.Err()
}

func (k *Keeper) logRun(plan api.GC, cause string) {
	removed := 0
	for _, image := range plan.Images {
		if image.Remove && image.Error == "" {
			removed++
		}
	}
	log := k.Log.Debug
	if removed+len(plan.Containers)+len(plan.Removed) > 0 {
		log = k.Log.Info
	}
	log("housekeeping done", zap.String("cause", cause), zap.Int("images_removed", removed), zap.Int64("freed", plan.Freed))
	for _, problem := range plan.Problems {
		k.Log.Warn("housekeeping incomplete", zap.String("problem", problem))
	}
}
