package supervisor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
)

// answer is what Docker says about a container after it was away.
type answer struct {
	container engine.Container
	err       error
}

// errForgotten means that a Docker that came back does not follow the container, which
// runs.
var errForgotten = errors.New("docker does not list it")

// lostDocker is for a Docker that goes away while the container runs. With
// live-restore the container continues, and is followed again once Docker is
// back. Otherwise the container is gone, and Docker is asked how it ended.
func (f *follower) lostDocker(ctx context.Context, cause error) *ending {
	f.report.log.Warn("lost the connection to Docker", zap.Error(cause))
	f.running.events, f.running.exit = nil, nil
	f.loop.enter(modeAway, noLimit)
	f.loop.retries = backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	f.ask(ctx)
	return nil
}

// ask asks Docker about the container in a goroutine: a Docker that starts takes
// the request, and answers when it is up.
func (f *follower) ask(ctx context.Context) {
	answers, id := make(chan answer, 1), f.running.id
	f.loop.setTimer(noLimit)
	f.loop.answers = answers
	go func() {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		container, err := f.engine.Inspect(ctx, id)
		if err == nil && container.Running {
			var listed bool
			if listed, err = f.engine.Listed(ctx, id); err == nil && !listed {
				err = errForgotten
			}
		}
		answers <- answer{container, err}
	}()
}

// answered acts on Docker's answer. Without one, it asks again later.
func (f *follower) answered(ctx context.Context, a answer) *ending {
	f.loop.answers = nil
	c := f.running
	switch {
	case f.isForgotten(a.err):
		return f.forgotten(ctx, a.err)
	case errors.Is(a.err, engine.ErrNotFound):
		return new(notRun(fromOutside(fmt.Errorf("container was removed: %w", a.err))))
	case a.err == nil && a.container.Running && a.container.Pid != c.process.id() && !c.process.alive():
		return f.restarted(ctx)
	case a.err == nil && a.container.Running:
		if f.followAgain(ctx, a.container) {
			return nil
		}
	case a.err == nil:
		return f.endedWhileAway(ctx, a.container.ExitCode)
	case !c.process.alive():
		f.noticeEnd()
	default:
		f.report.notify.Status("running, but Docker does not answer at " + f.engine.Host())
	}
	f.loop.setTimer(f.loop.retries.Step())
	return nil
}

// isForgotten reports whether the container runs on without Docker, by the error of a
// Docker that is back.
func (f *follower) isForgotten(err error) bool {
	return errors.Is(err, errForgotten) || errors.Is(err, engine.ErrNotFound) && f.running.process.alive()
}

// forgotten stops a container that Docker has forgotten, so that systemd starts it again:
// it has lost its network and its output.
func (f *follower) forgotten(ctx context.Context, err error) *ending {
	f.loop.cause = fromOutside(fmt.Errorf("docker has forgotten the container while it ran, as it does when it starts on a full disk (see: journalctl -u docker): %w", err))
	return f.stop(ctx)
}

// followAgain follows a container that has run on. It returns false when Docker
// went away again.
func (f *follower) followAgain(ctx context.Context, c engine.Container) bool {
	if f.listen(ctx, f.engine.WaitEnded) != nil {
		return false
	}
	f.followOn()
	f.report.log.Info("docker is back and the container runs")
	f.report.notify.Status(f.report.status())
	f.attendants.readiness.health(c.Health) // it may have changed in the meantime
	f.report.health(c.Health)
	f.noteOOMKills()
	f.attendants.setPaused(ctx, c.Status == container.StatePaused)
	return true
}

// endedWhileAway is the ending of a container that Docker knows to have ended.
func (f *follower) endedWhileAway(ctx context.Context, code int) *ending {
	c := f.running
	liveRestore := f.judge.outlivesDocker(ctx)
	c.output = f.relay.resume(ctx, c.id, c.output)
	if liveRestore {
		return new(f.judge.exited(ctx, c, code))
	}
	return new(takenAlong(code))
}

// noticeEnd notes that the container's process has ended, which the kernel
// reports before Docker, or while Docker is away. Only Docker knows the exit
// code.
func (f *follower) noticeEnd() {
	c := f.running
	if c.overdue != nil {
		return
	}
	c.gone, c.memory.atEnd = nil, f.unit.containerMemory()
	timeout := f.judge.codeTimeout
	if f.loop.mode == modeStopping {
		timeout = min(timeout, f.stopper.codeTimeout())
		f.loop.setTimer(noLimit)
	}
	c.overdue = time.After(timeout)
	f.report.notify.Status("container has ended; waiting for Docker to say how")
}

// codeOverdue is the ending of a container for which Docker did not report an
// exit code in time. The next start removes what is left of it.
func (f *follower) codeOverdue() *ending {
	if f.loop.mode == modeStopping {
		if f.running.signs.killed {
			return f.killed()
		}
		return &ending{dockerLost: true}
	}
	return &ending{code: ExitNotRun, dockerLost: true, err: fromOutside(fmt.Errorf(
		"container ended, and Docker at %s did not say how within %s (is docker.service running?)", f.engine.Host(), f.judge.codeTimeout))}
}
