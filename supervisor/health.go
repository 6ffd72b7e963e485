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

// verdictLag is how long after the end of a check the Engine knows its effect on
// the container's health.
const verdictLag = 100 * time.Millisecond

// errUnhealthy is why systemd's watchdog ends a container.
var errUnhealthy = errors.New("its health check fails")

// byHealth is the readiness of a container that is ready when its health check
// passes, or at once. With both, a health check decides whether it is well.
type byHealth struct {
	noHooks

	with surroundings
	sick atomic.Bool
	// failures describes how many checks have failed.
	failures string
	// watching says that watch was called.
	watching bool
}

func (h *byHealth) watch(ctx context.Context, id string, _ *process) {
	if h.watching {
		return // after docker restart
	}
	h.watching = true
	if h.with.container.Notify == spec.NotifyHealthy {
		go h.countFailures(ctx, id)
	}
	h.with.watchdog.feedWhile(ctx, func(context.Context) error {
		if h.sick.Load() {
			return errUnhealthy
		}
		return nil
	})
}

func (h *byHealth) health(status string) {
	h.sick.Store(status == container.Unhealthy)
	if status == container.Healthy && h.with.container.Notify == spec.NotifyHealthy {
		h.with.readyNow()
	}
}

func (h *byHealth) waitsFor() string { return "its health check to pass" + h.failures }

// countFailures shows, until the container is ready, how many checks have
// failed. Each check is a command in the container, and Docker reports its end.
func (h *byHealth) countFailures(ctx context.Context, id string) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	checks := h.with.engine.Events(ctx, id, "exec_die")
	for {
		select {
		case <-h.with.report.becameReady:
			return
		case _, open := <-checks:
			if !open {
				return
			}
		}
		pause(ctx, verdictLag)
		c, err := h.with.engine.Inspect(ctx, id)
		if err != nil || c.HealthFailures == 0 {
			continue
		}
		h.with.inbox.do(ctx, func() {
			check := checkupOf(c)
			h.failures = fmt.Sprintf(": %d of %d tries failed: %s", min(c.HealthFailures, c.HealthRetries), c.HealthRetries, check)
			h.with.report.checkFailed(check)
			h.with.report.showUnready()
		})
	}
}
