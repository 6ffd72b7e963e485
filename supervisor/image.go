package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

const (
	// extendInterval is how often systemd's patience is extended at most.
	extendInterval = time.Second
	// timeoutMargin is how much longer than the wait that is going on the
	// start timeout is pushed out.
	timeoutMargin = 30 * time.Second
	// pullGiveUp ends the tries to pull: the unit then fails, for all to see,
	// and systemd starts it anew.
	pullGiveUp = 15 * time.Minute
)

// awaitEngine returns once the Engine answers.
func (s *Supervisor) awaitEngine(ctx context.Context) error {
	tries := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	for {
		err := s.Engine.Ping(ctx)
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		pause := tries.Step()
		s.Notify.ExtendTimeout(pause + timeoutMargin)
		s.Notify.Status(fmt.Sprintf("waiting for Docker at %s: %s", s.Engine.Host(), firstLine(err.Error())))
		waitErr := backoff.Pause(ctx, pause)
		s.trouble(fmt.Errorf("wait for Docker at %s (is docker.service running?): %w", s.Engine.Host(), err))
		if waitErr != nil {
			return waitErr
		}
	}
}

// claimTimeout bounds the wait for a removal of an image that is going on.
const claimTimeout = 30 * time.Second

// claimImage says to housekeeping that the image is about to be used.
func (s *Supervisor) claimImage(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	var err error
	if s.claim, err = s.Dir.Claim(ctx, s.spec.Image); err != nil {
		s.claim = nil
		s.Log.Debug("housekeeping does not know that the image is about to be used", zap.Error(err))
	}
}

// ensureImage returns the image that the container is to be made of, as the
// pull policy has it.
func (s *Supervisor) ensureImage(ctx context.Context) (engine.Image, error) {
	cached, err := s.Engine.Image(ctx, s.spec.Image)
	missing := errors.Is(err, engine.ErrNotFound)
	if err != nil && !missing {
		return engine.Image{}, err
	}
	switch s.spec.PullPolicy {
	case spec.PullNever:
		if missing {
			return engine.Image{}, fmt.Errorf("the host has no image %q and pull_policy is never (load it with: docker load)", s.spec.Image)
		}
		return cached, nil
	case spec.PullMissing:
		if !missing {
			return cached, nil
		}
	case spec.PullAlways:
		if !missing {
			return s.refresh(ctx, cached)
		}
	}
	return s.pullUntilThere(ctx)
}

// refresh asks the registry for a newer image once, and takes the one that
// the host has when that fails.
func (s *Supervisor) refresh(ctx context.Context, cached engine.Image) (engine.Image, error) {
	err := s.pull(ctx)
	if err == nil {
		return s.pulledImage(ctx)
	}
	if ctx.Err() != nil {
		return engine.Image{}, err
	}
	s.state.Cached = true
	s.trouble(err)
	return cached, nil
}

// pullUntilThere pulls until it succeeds or has failed for pullGiveUp. There
// is no telling a registry that has not the image yet from one that never
// will, so every error is taken to pass.
func (s *Supervisor) pullUntilThere(ctx context.Context) (engine.Image, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	tries := backoff.Backoff{Next: time.Second, Cap: time.Minute}
	for {
		err := s.pull(ctx)
		if err == nil {
			return s.pulledImage(ctx)
		}
		if ctx.Err() != nil || time.Since(began) > pullGiveUp {
			return engine.Image{}, err
		}
		s.trouble(err)
		pause := tries.Step()
		s.Notify.ExtendTimeout(pause + timeoutMargin)
		s.Notify.Status(fmt.Sprintf("next try in %s: %s", pause.Round(time.Second), firstLine(err.Error())))
		waitErr := backoff.Pause(ctx, pause)
		if waitErr != nil {
			return engine.Image{}, waitErr
		}
	}
}

// pulledImage is the image that was pulled just now.
func (s *Supervisor) pulledImage(ctx context.Context) (engine.Image, error) {
	image, err := s.Engine.Image(ctx, s.spec.Image)
	if err == nil {
		s.claim.Pulled(image.ID)
	}
	return image, err
}

// pull pulls once. systemd's patience is extended by what the pull may be
// silent for, so that a pull of any length is no start timeout as long as
// bytes arrive.
func (s *Supervisor) pull(ctx context.Context) error {
	s.Notify.ExtendTimeout(s.spec.PullStallTimeout + timeoutMargin)
	s.Notify.Status("pulling " + s.spec.Image)
	s.Log.Info("pulling image", zap.String("image", s.spec.Image))
	shown := progress{image: s.spec.Image}
	var extended time.Time
	var need, sized int64
	err := s.Engine.Pull(ctx, engine.PullRequest{
		Ref: s.spec.Image, Platform: s.spec.Platform, StallTimeout: s.spec.PullStallTimeout,
	}, func(p engine.Progress) {
		now := time.Now()
		need = max(need, p.Need())
		if p.Bytes != sized || now.Sub(extended) >= extendInterval { // another layer has begun, or time passed
			sized = p.Bytes
			s.claim.Need(p.Need())
		}
		s.Notify.Status(shown.status(now, p))
		switch {
		case p.Downloaded:
			s.Notify.ExtendTimeout(unpackPatience)
		case now.Sub(extended) >= extendInterval:
			extended = now
			s.Notify.ExtendTimeout(s.spec.PullStallTimeout + timeoutMargin)
		}
	})
	if err != nil {
		s.claim.Need(need) // for the next try, before which housekeeping makes room
	}
	return err
}

// trouble makes an error known that does not end the supervisor. One that
// was told already is not told again.
func (s *Supervisor) trouble(err error) {
	if last := s.state.LastError; last == nil || last.Message != err.Error() {
		s.Log.Warn("degraded", zap.Error(err))
	}
	s.state.LastError = &rundir.Failure{At: time.Now(), Message: err.Error(), ConfigHash: s.state.ConfigHash}
	s.saveState()
}
