package ctl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/client"
)

// errTimeout is the cause of a context that --timeout has ended.
var errTimeout = errors.New("--timeout has ended")

// rollout is an update or a rollback that the agent is asked for.
type rollout struct {
	name string
	// back says that it is a rollback.
	back    bool
	request api.UpdateRequest
}

// begin has the agent accept the rollout, and returns when that was.
func (r rollout) begin(ctx context.Context, c client.Client) (time.Time, error) {
	ask := c.Update
	if r.back {
		ask = c.Rollback
	}
	accept, cancel := context.WithTimeout(ctx, acceptTimeout)
	defer cancel()
	started, err := ask(accept, r.name, r.request)
	if err != nil && interrupted(ctx) {
		err = &exitError{exitInterrupted, fmt.Errorf("%s: interrupted before the agent answered: it may still begin (see: dockhostctl status %s)", r.name, r.name)}
	}
	return started.At, err
}

// finish follows the rollout up to its outcome. The error is nil when that is a good
// one, and has the exit status for it otherwise.
func (r rollout) finish(ctx context.Context, c client.Client, accepted time.Time, t *transcript) (api.UpdateProgress, error) {
	var latest api.UpdateProgress
	last, err := c.UpdateProgress(ctx, r.name, accepted, func(p api.UpdateProgress) {
		latest = p
		t.progress(r.name, p)
	})
	switch {
	case err == nil:
		return last, r.outcome(last)
	case interrupted(ctx):
		return last, &exitError{exitInterrupted, fmt.Errorf("%s: no longer waiting; the agent keeps working on it (see: dockhostctl status %s)", r.name, r.name)}
	case errors.Is(context.Cause(ctx), errTimeout):
		return last, &exitError{exitWaiting, fmt.Errorf("%s: not finished yet: %s; the agent keeps working on it (see: dockhostctl status %s)", r.name, latestStep(latest), r.name)}
	}
	return last, err
}

// latestStep says what a rollout was doing when the wait for it ended.
func latestStep(p api.UpdateProgress) string {
	if step := doing(p); step != "" {
		return step
	}
	return "the agent has reported no step"
}

// outcome returns the error for how a rollout ended.
func (r rollout) outcome(last api.UpdateProgress) error {
	// A check changes nothing, so that history has no entry of it.
	see := fmt.Sprintf(" (see: dockhostctl history %s)", r.name)
	if r.request.Check {
		see = ""
	}
	switch last.Outcome {
	case api.OutcomeConfirmed, api.OutcomeUnchanged, api.OutcomeFound:
		return nil
	case api.OutcomeRolledBack:
		return &exitError{exitRolledBack, fmt.Errorf("%s: rolled back: %s%s", r.name, last.Why, see)}
	case api.OutcomeRefused:
		return &exitError{exitRefused, fmt.Errorf("%s: refused: %s", r.name, last.Why)}
	case api.OutcomeFailed:
		return fmt.Errorf("%s: failed: %s%s", r.name, last.Why, see)
	case api.OutcomeSuperseded:
		return fmt.Errorf("%s: another change replaced this one before its outcome was known%s", r.name, see)
	}
	return fmt.Errorf("%s: the agent answered with the outcome %q, which is unknown to dockhostctl (are both of one version?)", r.name, last.Outcome)
}

// interrupted reports whether a signal has ended a context.
func interrupted(ctx context.Context) bool {
	return ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTimeout)
}

// withTimeout returns a context that ends after the duration of --timeout; 0 is no
// limit.
func withTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, d, errTimeout)
}

// forEach calls a function for all names at the same time, and returns the error with
// the worst exit status of all.
func forEach(names []string, do func(i int, name string) error) error {
	errs := make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() { errs[i] = do(i, name) })
	}
	group.Wait()
	return worst(errs)
}

// worst joins errors to one with the worst of their exit statuses.
func worst(errs []error) error {
	joined := errors.Join(errs...)
	if joined == nil {
		return nil
	}
	// Each leaves more uncertain than the one before.
	ranks := []int{exitWell, exitWaiting, exitRefused, exitRolledBack, exitNotWell, exitFailed, exitUnreachable, exitInterrupted}
	rank := 0
	for _, err := range errs {
		rank = max(rank, slices.Index(ranks, exitStatus(err)))
	}
	return &exitError{ranks[rank], joined}
}

// revisionText names a revision: "nginx:1.24 (sha256:0123456789ab)".
func revisionText(r *api.Revision) string {
	switch {
	case r == nil:
		return "-"
	case r.Digest == "" || strings.Contains(r.Image, "@"):
		return r.Image
	}
	return fmt.Sprintf("%s (%s)", r.Image, shorten(r.Digest))
}

// shorten returns the beginning of a digest.
func shorten(digest string) string { return digest[:min(shortDigest, len(digest))] }
