package supervisor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/dockhost/dockhost/spec"
)

// verdictLag is how much later than a check's end the Engine knows what it
// says about the container's health.
const verdictLag = 100 * time.Millisecond

// errUnhealthy is why systemd's watchdog ends a container.
var errUnhealthy = errors.New("its health check fails")

// byHealth is the readiness of a container that is ready when its health check
// passes, or at once. Either way the check, where there is one, says whether it
// is well.
type byHealth struct {
	common

	s    *Supervisor
	sick atomic.Bool
	// failed is how far the check is from failing.
	failed string
	// watched says that the container is looked after already.
	watched bool
}

func (h *byHealth) watch(ctx context.Context, id string, _ int) {
	if h.watched {
		return // Docker has started the container again
	}
	h.watched = true
	if h.s.spec.Notify == spec.NotifyHealthy {
		go h.countFailures(ctx, id)
	}
	h.s.feedWatchdog(ctx, func(context.Context) error {
		if h.sick.Load() {
			return errUnhealthy
		}
		return nil
	})
}

func (h *byHealth) health(status string) {
	h.sick.Store(status == container.Unhealthy)
	if status == container.Healthy && h.s.spec.Notify == spec.NotifyHealthy {
		h.s.life.ready()
	}
}

func (h *byHealth) waitsFor() string { return "its health check to pass" + h.failed }

// countFailures tells, until the container is ready, how many checks have
// failed: each is a command that Docker tells the end of.
func (h *byHealth) countFailures(ctx context.Context, id string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	checked := h.s.Engine.Events(ctx, id, "exec_die")
	for {
		select {
		case <-h.s.becameReady:
			return
		case _, open := <-checked:
			if !open {
				return
			}
		}
		h.s.pause(ctx, verdictLag)
		found, err := h.s.Engine.Inspect(ctx, id)
		if err != nil || found.HealthFailures == 0 {
			continue
		}
		h.s.call(ctx, func() {
			h.failed = fmt.Sprintf(": %d of %d tries failed", min(found.HealthFailures, found.HealthRetries), found.HealthRetries)
			h.s.sayUnready()
		})
	}
}

// pause waits a moment, or until ctx ends.
func (s *Supervisor) pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
