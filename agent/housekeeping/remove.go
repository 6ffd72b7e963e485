package housekeeping

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker/go-units"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

const (
	// networkAge is how old a network must be to be removed.
	networkAge = time.Hour
	// turn is how long the keeper removes images before it lets other programs claim
	// images.
	turn = 100 * time.Millisecond
)

// removeContainers removes the containers that ended long ago.
func (k *Keeper) removeContainers(ctx context.Context, plan *api.GC) {
	for i := range plan.Containers {
		c := &plan.Containers[i]
		err := k.Docker.RemoveEnded(ctx, c.ID)
		if err == nil {
			k.Log.Info("container removed", zap.String("container", c.Name), zap.String("container_id", c.ID), zap.String("reason", c.Reason))
			continue
		}
		c.Error = err.Error()
		if !errors.Is(err, engine.ErrConflict) {
			plan.Problems = append(plan.Problems, err.Error())
		}
	}
}

// removeImages removes the images of the plan, one after the other. It keeps an image
// that a program has begun to use meanwhile. It also stops making room when there is
// room: the plan knows sizes from Docker, and the kernel knows how full the disk is.
func (k *Keeper) removeImages(ctx context.Context, plan *api.GC, in Input, policy Policy) {
	byID := make(map[string]*Image, len(in.Images))
	for i := range in.Images {
		byID[in.Images[i].ID] = &in.Images[i]
	}
	turnBegan := time.Now()
	for i := range plan.Images {
		image := &plan.Images[i]
		if !image.Remove {
			break
		}
		if disk, err := k.Statfs(in.Disk.Root); image.Rule == ruleLRU && err == nil && disk.low(policy, in.Need) {
			image.Remove, image.Rule, image.Reason = false, ruleRoom, "nothing needs it, but there is room again"
			continue
		}
		if time.Since(turnBegan) > turn {
			giveWay(ctx)
			turnBegan = time.Now()
		}
		why, err := k.removeImage(ctx, byID[image.ID])
		switch {
		case err != nil:
			image.Error = err.Error()
			plan.Problems = append(plan.Problems, err.Error())
			if errors.Is(err, engine.ErrUnreachable) || ctx.Err() != nil {
				return
			}
		case why != "":
			image.Remove, image.Rule, image.Reason = false, ruleClaimed, why
		default:
			journal.ImageRemoved.Log(k.Log, zap.String("by", "housekeeping"), zap.String("image", image.ID), zap.Strings("names", image.Names), zap.String("rule", image.Rule),
				zap.String("reason", image.Reason), zap.Int64("frees", image.Frees))
		}
	}
}

// giveWay lets programs claim images between two removals.
func giveWay(ctx context.Context) {
	timer := time.NewTimer(2 * rundir.LockPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// removeImage removes an image. If a program uses it by now it stays, and reason says
// why.
func (k *Keeper) removeImage(ctx context.Context, image *Image) (reason string, err error) {
	unlock, err := k.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	claimed, _, err := k.Dir.Claims()
	if err != nil {
		return "", err
	}
	refs := k.Assigned().Images
	for _, claim := range claimed {
		refs = append(refs, claim.Ref)
	}
	if ref := image.referenceIn(normalized(refs)); ref != "" {
		return "about to be used, as " + ref, nil
	}
	if err := k.untag(ctx, image); err != nil {
		return "", err
	}
	err = k.Docker.RemoveImage(ctx, image.ID)
	if errors.Is(err, engine.ErrConflict) {
		return "in use by now: Docker keeps it", nil
	}
	return "", err
}

// untag removes all names of an image but the last, unless they name another image
// by now: Docker removes an image by its ID only if one repository names it.
func (k *Keeper) untag(ctx context.Context, image *Image) error {
	names := image.names()
	for _, name := range names[:max(len(names)-1, 0)] {
		if current, err := k.Docker.Image(ctx, name); err != nil || current.ID != image.ID {
			continue
		}
		if err := k.Docker.RemoveImage(ctx, name); err != nil && !errors.Is(err, engine.ErrConflict) {
			return err
		}
	}
	return nil
}

// names returns the references that hold an image: its tags, and the digests of
// repositories without a tag.
func (i *Image) names() []string {
	names := slices.Clone(i.Tags)
	for _, digest := range i.Digests {
		if !slices.ContainsFunc(i.Tags, func(tag string) bool { return repository(tag) == repository(digest) }) {
			names = append(names, digest)
		}
	}
	return names
}

// removeRest removes build cache, networks and volumes.
func (k *Keeper) removeRest(ctx context.Context, plan *api.GC, policy Policy) {
	if policy.BuildCache > 0 {
		freed, err := k.Docker.PruneBuildCache(ctx, policy.BuildCache)
		if freed > 0 {
			k.noteRemoved(plan, units.HumanSize(float64(freed))+" of build cache")
		}
		noteProblem(plan, err)
	}
	if policy.Networks {
		names, err := k.Docker.PruneNetworks(ctx, networkAge)
		for _, name := range names {
			k.noteRemoved(plan, "network "+name)
		}
		noteProblem(plan, err)
	}
	if policy.Volumes {
		names, err := k.Docker.PruneVolumes(ctx, k.isOrphan)
		for _, name := range names {
			k.noteRemoved(plan, "volume "+name)
		}
		noteProblem(plan, err)
	}
}

// isOrphan reports whether dockhost made a volume for a container that is neither
// assigned nor declared.
func (k *Keeper) isOrphan(volume engine.Volume) bool {
	container := volume.Labels[spec.LabelVolumeContainer]
	return container != "" && !slices.Contains(k.Assigned().Declared, container)
}

func (k *Keeper) noteRemoved(plan *api.GC, what string) {
	plan.Removed = append(plan.Removed, what)
	k.Log.Info("removed", zap.String("what", what))
}

func noteProblem(plan *api.GC, err error) {
	if err != nil {
		plan.Problems = append(plan.Problems, err.Error())
	}
}
