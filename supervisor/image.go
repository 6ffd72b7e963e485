package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/internal/cure"
	"github.com/dockhost/dockhost/internal/journal"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

const (
	// extendInterval is how often the start timeout is extended at most.
	extendInterval = time.Second
	// timeoutMargin is added to the current wait when the start timeout is
	// extended.
	timeoutMargin = 30 * time.Second
	// pullGiveUp is how long failed pulls are retried. Then the unit fails, where
	// everybody sees it, and systemd starts it again.
	pullGiveUp = 15 * time.Minute
	// claimTimeout bounds the wait while housekeeping removes images.
	claimTimeout = 30 * time.Second
)

// imageSource looks up and pulls images.
type imageSource interface {
	Image(ctx context.Context, ref string) (engine.Image, error)
	Pull(ctx context.Context, req engine.PullRequest, progress func(engine.Progress)) error
}

// images gets the image that the container is created from.
type images struct {
	engine    imageSource
	container *spec.Container
	dir       rundir.Dir
	report    *reporter
	log       *zap.Logger
	// claim keeps housekeeping from removing the image before the container
	// exists; nil where it could not be taken.
	claim *rundir.Claim
	// failed is what the last pull had learnt when it failed.
	failed pullFollower
}

// claimImage tells housekeeping that the image is about to be used.
func (i *images) claimImage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	claim, err := i.dir.Claim(ctx, i.container.ImageNames()[0])
	if err != nil {
		i.log.Debug("image not claimed: housekeeping may remove it before its container exists", zap.Error(err))
		return
	}
	i.claim = claim
}

// release ends the claim. It may be called more than once.
func (i *images) release() { i.claim.Release() }

// ensure returns the image, pulled where the pull policy asks for it.
func (i *images) ensure(ctx context.Context) (engine.Image, error) {
	if i.container.Pin != nil {
		return i.ensurePinned(ctx)
	}
	cached, err := i.engine.Image(ctx, i.container.Image)
	missing := errors.Is(err, engine.ErrNotFound)
	if err != nil && !missing {
		return engine.Image{}, err
	}
	switch i.container.PullPolicy {
	case spec.PullNever:
		if missing {
			err := fmt.Errorf("the host has no image %q and pull_policy is never (load it with: docker load)", i.container.Image)
			return engine.Image{}, cure.By(err, cure.Cure{Kind: cure.Docker, Name: "image"})
		}
		return cached, nil
	case spec.PullMissing:
		if !missing {
			return cached, nil
		}
	case spec.PullAlways:
		if !missing {
			return i.refresh(ctx, cached)
		}
	default:
		interval, _ := i.container.PullPolicy.Interval()
		switch {
		case missing:
		case time.Since(i.dir.Pulled(i.container.Image)) < interval:
			return cached, nil
		default:
			return i.refresh(ctx, cached)
		}
	}
	return i.pullUntilPresent(ctx)
}

// ensurePinned returns the image to which the container is pinned, and pulls it only if
// the host has lost it.
func (i *images) ensurePinned(ctx context.Context) (engine.Image, error) {
	pin := i.container.Pin
	for _, name := range pin.Names() {
		image, err := i.engine.Image(ctx, name)
		if err == nil && (pin.ID == "" || image.ID == pin.ID) || err != nil && !errors.Is(err, engine.ErrNotFound) {
			return image, err
		}
	}
	if pin.Ref == "" {
		err := fmt.Errorf("the host has lost image %s of %q, which is from no registry (load it with docker load, or run: dockhostctl update --force %s)",
			pin.ID, i.container.Image, i.container.Name)
		return engine.Image{}, cure.By(err, cure.Cure{Kind: cure.Docker, Name: "image"})
	}
	return i.pullUntilPresent(ctx)
}

// refresh asks the registry for a newer image once. When that fails, it returns
// the image that the host has.
func (i *images) refresh(ctx context.Context, cached engine.Image) (engine.Image, error) {
	err := i.pull(ctx)
	if err == nil {
		return i.pulledImage(ctx)
	}
	if ctx.Err() != nil {
		return engine.Image{}, err
	}
	i.report.state.Cached = true
	i.report.trouble("pull failed, using the image that the host has", err)
	return cached, nil
}

// pullUntilPresent retries failed pulls for pullGiveUp. A missing image and a
// not-yet-pushed one look alike, so every error is retried.
func (i *images) pullUntilPresent(ctx context.Context) (engine.Image, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	tries := backoff.Backoff{Next: time.Second, Cap: time.Minute}
	for {
		err := i.pull(ctx)
		if err == nil {
			return i.pulledImage(ctx)
		}
		if ctx.Err() != nil || time.Since(began) > pullGiveUp {
			return engine.Image{}, err
		}
		i.report.trouble("pull failed, trying again", err)
		pause := tries.Step()
		i.report.notify.ExtendTimeout(pause + timeoutMargin)
		i.report.notify.Status(fmt.Sprintf("next try in %s: %s", pause.Round(time.Second), firstLine(err.Error())))
		i.report.nextTry(time.Now().Add(pause))
		waitErr := backoff.Pause(ctx, pause)
		i.report.nextTry(time.Time{})
		if waitErr != nil {
			return engine.Image{}, waitErr
		}
	}
}

// pulledImage returns the image after a pull, and records in the claim that
// dockhost pulled it.
func (i *images) pulledImage(ctx context.Context) (engine.Image, error) {
	ref := i.container.PullRef()
	image, err := i.engine.Image(ctx, ref)
	if err == nil {
		i.logPull(image)
		i.claim.Pulled(image.ID)
		if err := i.dir.SetPulled(ref); err != nil {
			i.log.Debug("pull not recorded", zap.Error(err))
		}
	}
	return image, err
}

// logPull tells what was pulled.
func (i *images) logPull(image engine.Image) {
	pull := i.report.state.Pull
	journal.PullDone.Log(i.log, zap.String("image", i.container.PullRef()), zap.String("digest", image.Digest),
		zap.Int64("bytes", pull.Bytes), zap.String("seconds", fmt.Sprintf("%.3f", (pull.Ended-pull.Began).Seconds())))
}

// pull pulls once. While bytes arrive it extends the start timeout, so that a
// pull may take any time, but must not stall.
func (i *images) pull(ctx context.Context) error {
	image := i.container.PullRef()
	i.report.notify.ExtendTimeout(i.container.PullStallTimeout + timeoutMargin)
	i.report.notify.Status("pulling " + image)
	journal.PullBegun.Log(i.log, zap.String("image", image))
	pull := &rundir.Pull{Began: rundir.Uptime()}
	i.report.state.Pull = pull
	follow := pullFollower{
		progress: progress{image: image}, notify: i.report.notify, claim: i.claim, patience: i.container.PullStallTimeout + timeoutMargin,
		need: i.failed.need, expected: i.failed.size,
	}
	err := i.engine.Pull(ctx, engine.PullRequest{
		Ref: image, Platform: i.container.Platform, StallTimeout: i.container.PullStallTimeout,
		LoggedIn: func() { pull.LoggedIn = rundir.Uptime() },
	}, follow.progressed)
	if err != nil {
		i.claim.Need(follow.need) // before the next try housekeeping frees as much space
		follow.size = max(follow.size, follow.expected)
		i.failed = follow
		return err
	}
	pull.Ended, pull.At, pull.Bytes = rundir.Uptime(), time.Now(), follow.size
	return nil
}

// pullFollower follows the progress of one pull.
type pullFollower struct {
	progress progress
	notify   notifier
	claim    *rundir.Claim
	// patience is how far the start timeout is extended.
	patience time.Duration
	extended time.Time
	// need is the most bytes that were still to come, size the size of all layers
	// whose size is known.
	need, size int64
	// expected is the size that the last pull knew of. Until this one knows as much, it
	// needs what that one needed.
	expected int64
}

func (f *pullFollower) progressed(p engine.Progress) {
	now := time.Now()
	due := now.Sub(f.extended) >= extendInterval
	f.need = max(f.need, p.Need())
	if p.Bytes != f.size || due { // another layer has begun, or time passed
		f.size = p.Bytes
		if f.size < f.expected && !p.Downloaded {
			f.claim.Need(f.need)
		} else {
			f.claim.Need(p.Need())
		}
	}
	f.notify.Status(f.progress.status(now, p))
	switch {
	case p.Downloaded:
		f.notify.ExtendTimeout(unpackPatience)
	case due:
		f.extended = now
		f.notify.ExtendTimeout(f.patience)
	}
}
