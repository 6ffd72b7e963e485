package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/go-units"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/agent/metrics"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// claimTimeout bounds the wait for the removal of an image.
const claimTimeout = 30 * time.Second

// ampleRoom is more than usual images take, unpacked.
const ampleRoom = 64 << 30

// puller pulls images, and has housekeeping make room for them.
type puller struct {
	engine imageSource
	// pullSize is [Options.PullSize]; nil asks no registry.
	pullSize func(ctx context.Context, ref, platform string) (int64, error)
	// keeper is nil without housekeeping.
	keeper *housekeeping.Keeper
	dir    rundir.Dir
	log    *zap.Logger
	// counter counts the pulls.
	counter *metrics.Counter
}

// pull pulls the image of a successor. Housekeeping makes room before the pull if
// the registry says how large the image is, during the pull as its size becomes
// known, and once more if the image did not fit.
func (p *puller) pull(ctx context.Context, next *spec.Container, step func(update.Step)) (engine.Image, error) {
	claim, err := p.claim(ctx, next.PullRef())
	if err != nil {
		p.log.Warn("image not claimed", zap.Error(err))
	}
	defer claim.Release()
	if err := p.makeRoom(ctx, next, claim, step); err != nil {
		return engine.Image{}, err
	}
	need, err := p.pullOnce(ctx, next, claim, step)
	if err != nil && need > 0 && ctx.Err() == nil && p.keeper != nil && p.keeper.Full(ctx, need) {
		freed, roomErr := p.keeper.MakeRoom(ctx, need)
		if freed > 0 {
			_, err = p.pullOnce(ctx, next, claim, step)
		}
		if err != nil && roomErr != nil {
			err = errors.Join(err, roomErr)
		}
	}
	if err != nil {
		return engine.Image{}, err
	}
	image, err := p.engine.Image(ctx, next.PullRef())
	if err == nil {
		claim.Pulled(image.ID)
	}
	return image, err
}

// makeRoom makes room for an image, by the size that its registry reports, and
// returns an error if the download cannot fit or the registry's answer cannot be trusted:
// Docker would read it without limits, and follow it into the host. With ample room it asks no registry;
// without an answer it lets the pull try.
func (p *puller) makeRoom(ctx context.Context, next *spec.Container, claim *rundir.Claim, step func(update.Step)) error {
	if p.keeper == nil || p.pullSize == nil || p.keeper.Free(ctx) > ampleRoom {
		return nil
	}
	step(update.Step{Phase: update.PhasePulling, Doing: "asking how large " + next.PullRef() + " is"})
	size, err := p.pullSize(ctx, next.PullRef(), next.Platform)
	if errors.Is(err, engine.ErrUntrusted) {
		return fmt.Errorf("image %q was not pulled: %w", next.PullRef(), err)
	}
	if err != nil {
		p.log.Debug("size of image not known before its pull", zap.String("image", next.PullRef()), zap.Error(err))
		return ctx.Err()
	}
	progress := engine.Progress{Bytes: size}
	if claim.Need(progress.Need()); !p.keeper.Full(ctx, progress.Need()) {
		return nil
	}
	_, err = p.keeper.MakeRoom(ctx, progress.Need())
	if p.keeper.Free(ctx) >= size {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return fmt.Errorf("image %q was not pulled: %s have to be downloaded, and do not fit: %w", next.PullRef(), units.HumanSize(float64(size)), err)
}

// claim tells housekeeping, and other programs, that an image is being pulled.
func (p *puller) claim(ctx context.Context, ref string) (*rundir.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	return p.dir.Claim(ctx, ref)
}

// pullOnce returns the most bytes that the pull needed at any time.
func (p *puller) pullOnce(ctx context.Context, next *spec.Container, claim *rundir.Claim, step func(update.Step)) (need int64, err error) {
	log := p.log.With(zap.String("container", next.Name), zap.String("image", next.PullRef()))
	journal.PullBegun.Log(log)
	request := engine.PullRequest{Ref: next.PullRef(), Platform: next.Platform, StallTimeout: next.PullStallTimeout}
	size, done, began := int64(0), int64(0), time.Now()
	defer func() { p.counter.Pulled(done, time.Since(began), err != nil) }()
	err = p.engine.Pull(ctx, request, func(progress engine.Progress) {
		step(update.Step{Phase: update.PhasePulling, Doing: pulling(next.PullRef(), progress), Done: progress.BytesDone, Total: progress.Bytes})
		need, done = max(need, progress.Need()), progress.BytesDone
		if progress.Bytes == size {
			return
		}
		size = progress.Bytes // another layer has begun
		if p.keeper == nil {
			return
		}
		if claim.Need(progress.Need()); p.keeper.Full(ctx, progress.Need()) {
			p.keeper.Look()
		}
	})
	if err == nil {
		journal.PullDone.Log(log, zap.String("digest", p.digest(ctx, next)), zap.Int64("bytes", size),
			zap.String("seconds", fmt.Sprintf("%.3f", time.Since(began).Seconds())))
	}
	return need, err
}

// digest returns the digest of the image that was pulled, "" if Docker does not say.
func (p *puller) digest(ctx context.Context, next *spec.Container) string {
	image, err := p.engine.Image(ctx, next.PullRef())
	if err != nil {
		return ""
	}
	return image.Digest
}

func pulling(image string, p engine.Progress) string {
	return fmt.Sprintf("pulling %s: %d of %d layers, %s of %s", image, p.LayersDone, p.Layers,
		units.HumanSize(float64(p.BytesDone)), units.HumanSize(float64(p.Bytes)))
}
