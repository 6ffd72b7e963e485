package supervisor

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/oneline"
)

// checkup is the last health check that failed.
type checkup struct {
	exitStatus int
	// output is the last line that it printed.
	output string
}

// checkupOf returns the last health check of a container, without the values of the
// container's variables.
func checkupOf(c engine.Container) checkup {
	return checkup{c.HealthExit, oneline.Last(oneline.Mask(c.HealthOutput, c.Env), maxText)}
}

// String says how the check ended: "exit status 1: connection refused".
func (c checkup) String() string {
	switch {
	case c.output == "":
		return fmt.Sprintf("exit status %d", c.exitStatus)
	case c.exitStatus < 0:
		return c.output // Docker has ended the check, and says why
	}
	return fmt.Sprintf("exit status %d: %s", c.exitStatus, c.output)
}

// checkFailed writes to the journal how a health check failed, unless the one before
// failed in the same way.
func (r *reporter) checkFailed(c checkup) {
	if r.condition.check != nil && *r.condition.check == c {
		return
	}
	r.condition.check = &c
	r.log.Warn("health check fails", zap.Int("exit_status", c.exitStatus), zap.String("output", c.output))
}

// checkPassed forgets how the last health check failed.
func (r *reporter) checkPassed() { r.condition.check = nil }

// showHealth shows the health of a container that is ready.
func (r *reporter) showHealth(health string) {
	status := r.status()
	if health != unhealthy || r.condition.check == nil { // otherwise it is part of the status
		status += ", " + health
	}
	r.notify.Status(status)
}

// noteHealth takes note of what Docker says of the container's health. A container that is
// being stopped may fail its check without being ill. If it outlives a stop through Docker, its
// health is looked at again.
func (f *follower) noteHealth(ctx context.Context, health string) {
	if health == unhealthy {
		switch f.loop.mode {
		case modeStopping, modeTerminating, modeKilling:
			return
		case modeFollowing, modeAway, modeJudging, modeRestarting:
		}
		if rest := f.stopper.ownGrace() - time.Since(f.running.signs.stopSent); rest > 0 {
			f.lookAtHealth(ctx, f.running.id, rest)
			return
		}
	}
	f.report.logHealth(health)
	wasReady := f.report.life.phase == phaseRunning
	f.attendants.readiness.health(health)
	f.report.health(health)
	if health == unhealthy {
		f.explainHealth(ctx, f.running.id)
	}
	if wasReady {
		f.report.showHealth(health)
	}
}

// lookAtHealth takes note of the health of a container that is unhealthy, if it is so still
// after some time. It does not block.
func (f *follower) lookAtHealth(ctx context.Context, id string, after time.Duration) {
	go func() {
		pause(ctx, after)
		asked, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		if c, err := f.engine.Inspect(asked, id); err == nil && c.Running && c.Health == unhealthy {
			f.inbox.do(ctx, func() { f.noteHealth(ctx, unhealthy) })
		}
	}()
}

// explainHealth asks Docker why a container has become unhealthy, and shows it. It does
// not block.
func (f *follower) explainHealth(ctx context.Context, id string) {
	go func() {
		asked, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		c, err := f.engine.Inspect(asked, id)
		if err != nil || c.Health != unhealthy {
			return // it has recovered since, or Docker is away
		}
		f.inbox.do(ctx, func() {
			f.report.checkFailed(checkupOf(c))
			f.report.showRunning()
		})
	}()
}
