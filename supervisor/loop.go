package supervisor

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
)

// mode is what the event loop waits for.
type mode int

const (
	// modeFollowing: the container runs, and Docker will report its end.
	modeFollowing mode = iota
	// modeAway: Docker does not answer, and is asked from time to time (away.go).
	modeAway
	// modeJudging: the container has ended, and Docker's events will explain why
	// (exit.go).
	modeJudging
	// modeRestarting: the container was stopped through Docker, which may start it
	// again (restart.go).
	modeRestarting
	// modeStopping: Docker was asked to stop the container (stop.go).
	modeStopping
	// modeTerminating: Docker does not answer, and the supervisor has sent the stop
	// signal (stop.go).
	modeTerminating
	// modeKilling: the supervisor has sent SIGKILL (stop.go).
	modeKilling
)

// loop is the state of the event loop.
type loop struct {
	mode mode
	// timer ends what the mode waits for; nil where it has no limit.
	timer *time.Timer
	// answers gets Docker's answer in modeAway, retries are the pauses between
	// the questions.
	answers  <-chan answer
	retries  backoff.Backoff
	stopping stopping
	// code is the exit code to be judged.
	code int
	// cause is why the supervisor stops the container on its own; nil if it does
	// not.
	cause error
}

// enter changes the mode. After limit the loop calls [follower.timeUp].
func (l *loop) enter(m mode, limit time.Duration) {
	l.mode, l.answers, l.stopping.prepared, l.stopping.stopped = m, nil, nil, nil
	l.setTimer(limit)
}

// noLimit sets no timer; any other negative limit does neither.
const noLimit time.Duration = -1

// setTimer replaces the timer.
func (l *loop) setTimer(limit time.Duration) {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = nil
	if limit >= 0 {
		l.timer = time.NewTimer(limit)
	}
}

// follow is the event loop. It returns when the container has ended or was
// handed over.
func (f *follower) follow(ctx context.Context) ending {
	for !f.handedOver() {
		end := f.endForced(ctx)
		if end == nil {
			end = f.step(ctx)
		}
		if end != nil {
			return f.withCause(*end)
		}
	}
	return ending{handedOver: true}
}

// endForced begins to stop a container that must not continue.
func (f *follower) endForced(ctx context.Context) *ending {
	cause := errors.Join(f.inbox.mustEnd, f.report.life.fault)
	if cause == nil || f.loop.mode != modeFollowing && f.loop.mode != modeAway {
		return nil
	}
	f.loop.cause = cause
	return f.stop(ctx)
}

// withCause makes the ending of a container that the supervisor stopped on its
// own a failure, so that systemd starts it again.
func (f *follower) withCause(end ending) ending {
	cause := f.loop.cause
	if cause == nil {
		cause = f.report.life.fault
	}
	if cause != nil {
		end.code, end.err = max(end.code, 1), errors.Join(cause, end.err)
	}
	return end
}

// channels are what the event loop receives from. A nil channel is one that the
// mode does not listen to.
type channels struct {
	stop    <-chan struct{}
	exit    <-chan engine.Exit
	gone    <-chan struct{}
	overdue <-chan time.Time
	events  <-chan engine.Event
	calls   <-chan func()
	signals <-chan os.Signal
	timeUp  <-chan time.Time
}

// channels returns what the mode listens to.
func (f *follower) channels() channels {
	c := f.running
	var open channels
	switch f.loop.mode {
	case modeFollowing, modeAway:
		open = channels{stop: f.inbox.stop, exit: c.exit, gone: c.gone, overdue: c.overdue, events: c.events, calls: f.inbox.calls, signals: f.inbox.signals}
	case modeStopping:
		open = channels{exit: c.exit, gone: c.gone, overdue: c.overdue, events: c.events, calls: f.inbox.calls}
	case modeJudging, modeRestarting:
		open = channels{events: c.events}
	case modeTerminating, modeKilling:
		open = channels{gone: c.process.ended()}
	}
	if f.loop.timer != nil {
		open.timeUp = f.loop.timer.C
	}
	return open
}

// step waits for the next thing that happens, and acts on it. It returns nil
// while the container's life continues.
func (f *follower) step(ctx context.Context) *ending {
	open := f.channels()
	select {
	case <-open.stop:
		return f.stopRequested(ctx)
	case exit := <-open.exit:
		return f.exited(ctx, exit)
	case <-open.gone:
		return f.processEnded(ctx)
	case <-open.overdue:
		return f.codeOverdue()
	case event, isOpen := <-open.events:
		return f.heard(ctx, event, isOpen)
	case call := <-open.calls:
		call()
		return nil
	case sig := <-open.signals:
		return f.signalled(ctx, sig)
	case <-open.timeUp:
		return f.timeUp(ctx)
	case answer := <-f.loop.answers:
		return f.answered(ctx, answer)
	case grace := <-f.loop.stopping.prepared:
		f.askDocker(ctx, grace)
		return nil
	case err := <-f.loop.stopping.stopped:
		return f.stopReturned(err)
	}
}

// exited acts on the exit that Docker reports, or on the loss of the connection.
func (f *follower) exited(ctx context.Context, exit engine.Exit) *ending {
	stopping := f.loop.mode == modeStopping
	switch {
	case exit.Err != nil && stopping:
		return f.terminate(exit.Err)
	case exit.Err != nil:
		return f.lostDocker(ctx, exit.Err)
	case stopping:
		return new(f.stopEnding(exit.Code))
	case f.inbox.stopRequested():
		// With KillMode=control-group systemd signals the container itself, which
		// may be quicker.
		f.report.life.send(eventStopRequested)
		return new(f.stopEnding(exit.Code))
	}
	return f.beginJudging(ctx, exit.Code)
}

// processEnded acts on the end of the container's process.
func (f *follower) processEnded(ctx context.Context) *ending {
	switch f.loop.mode {
	case modeTerminating:
		return &ending{dockerLost: true}
	case modeKilling:
		return f.killed()
	case modeFollowing, modeAway, modeJudging, modeRestarting, modeStopping:
	}
	f.noticeEnd()
	if f.loop.mode == modeAway && f.loop.answers == nil {
		f.ask(ctx) // at once, instead of after the pause
	}
	return nil
}

// heard acts on one event of Docker. The channel is closed when Docker goes
// away, which the exit channel reports as well.
func (f *follower) heard(ctx context.Context, event engine.Event, open bool) *ending {
	if open {
		f.note(ctx, event)
	} else {
		f.running.events = nil
	}
	switch f.loop.mode {
	case modeJudging:
		return f.judgeWhenComplete(ctx)
	case modeRestarting:
		return f.restartWhenStarted(ctx)
	case modeFollowing, modeAway, modeStopping, modeTerminating, modeKilling:
	}
	return nil
}

// note takes note of one event.
func (f *follower) note(ctx context.Context, event engine.Event) {
	c := f.running
	switch event.Action {
	case "health_status":
		f.noteHealth(ctx, event.Health)
	case "pause", "unpause":
		f.report.log.Info("someone has paused or unpaused the container", zap.String("action", event.Action))
		f.attendants.setPaused(ctx, event.Action == "pause")
	case "oom":
		f.noteOOMKills()
	case "kill":
		if f.loop.mode == modeFollowing {
			f.restore() // docker restart needs the placement
		}
		f.noteKill(syscall.Signal(event.Signal))
	case "die":
		c.signs.died = true
	case "stop":
		c.signs.stopped = true
	case "start":
		c.signs.started = c.signs.died // the first start comes before any end
	}
}

// signalled acts on a signal that the supervisor got.
func (f *follower) signalled(ctx context.Context, sig os.Signal) *ending {
	switch sig {
	case watchdogExpired{}:
		f.attendants.watchdog.expired()
		return f.stop(ctx)
	case syscall.SIGCONT:
		f.restore()
		return nil
	}
	if sig == syscall.SIGWINCH && f.terminal != nil {
		f.terminal.resize(ctx, f.running.id)
		return nil
	}
	f.attendants.reloads.signalled(ctx, f.running.id, sig)
	return nil
}

// timeUp acts on the end of the time that the mode may last.
func (f *follower) timeUp(ctx context.Context) *ending {
	switch f.loop.mode {
	case modeAway:
		f.ask(ctx)
	case modeJudging:
		return f.judgeNow(ctx)
	case modeRestarting:
		return f.restartedOrStopped(ctx)
	case modeTerminating:
		return f.kill()
	case modeKilling:
		return f.killed()
	case modeStopping:
		return f.stopOverdue()
	case modeFollowing: // has no limit
	}
	return nil
}

// followOn lets the loop follow a container that Docker reports about again.
func (f *follower) followOn() { f.loop.enter(modeFollowing, noLimit) }
