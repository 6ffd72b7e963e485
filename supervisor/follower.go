package supervisor

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/docker/docker/api/types/container"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

const (
	// drainTimeout bounds the wait for a container's last output.
	drainTimeout = 5 * time.Second
	// askTimeout bounds a request to a Docker that may not answer.
	askTimeout = 5 * time.Second
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

// follower follows one container from its start to its end. It is the only
// event loop: all that can happen arrives in [follower.step].
type follower struct {
	engine     followEngine
	container  *spec.Container
	unit       *unit
	report     *reporter
	inbox      *inbox
	attendants attendants
	launcher   *launcher
	relay      *relay
	stopper    *stopper
	judge      *judge
	running    *running
	loop       loop
}

// followEngine is what the follower calls on Docker Engine.
type followEngine interface {
	containerWatcher
	pinger
	CloseIdle()
}

// loop is the state of the event loop.
type loop struct {
	mode mode
	// timer ends what the mode waits for; nil where it has no limit.
	timer *time.Timer
	// answers gets Docker's answer in modeAway, retries are the pauses between
	// the questions.
	answers <-chan answer
	retries backoff.Backoff
	// stopped gets the result of docker stop in modeStopping, and grace is the
	// time that the container then has.
	stopped <-chan error
	grace   time.Duration
	// code is the exit code that is judged.
	code int
	// cause is why the supervisor stops the container on its own; nil if it does
	// not.
	cause error
}

// enter changes the mode. limit is how long the mode lasts at most before
// [follower.timeUp]; a negative one is none.
func (l *loop) enter(m mode, limit time.Duration) {
	l.mode, l.answers, l.stopped = m, nil, nil
	l.setTimer(limit)
}

func (l *loop) setTimer(limit time.Duration) {
	if l.timer != nil {
		l.timer.Stop()
	}
	l.timer = nil
	if limit >= 0 {
		l.timer = time.NewTimer(limit)
	}
}

// noLimit is a mode that no timer ends.
const noLimit time.Duration = -1

// attendants look after a running container, beside the event loop.
type attendants struct {
	readiness readiness
	watchdog  *watchdog
	gpus      *gpuWatch
	reloads   *reloader
}

// watch follows a container whose first process was started.
func (a attendants) watch(ctx context.Context, c *running) {
	a.gpus.pid.Store(int64(c.process.id()))
	a.readiness.watch(ctx, c.id, c.process.id())
}

// setPaused tells the attendants that someone has paused the container, or let
// it continue.
func (a attendants) setPaused(ctx context.Context, paused bool) {
	a.gpus.paused.Store(paused)
	a.watchdog.setPaused(ctx, paused)
}

// run starts a container that was created, and returns when it has ended or was
// handed over to systemd. The supervisor listens to it before the start, so that
// it misses nothing.
func (f *follower) run(ctx context.Context, id string, gpus attachment.Attachment) ending {
	// What follows the container outlives the request to stop it.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	f.running = &running{id: id, memory: memoryUse{atStart: f.unit.memory()}}
	if err := f.listen(ctx, f.engine.Wait); err != nil {
		return notRun(err)
	}
	defer func() {
		f.running.output.Close()
		f.running.process.close()
		f.loop.setTimer(noLimit)
	}()
	if f.inbox.stopRequested() {
		f.report.life.send(eventStopRequested)
		return ending{}
	}
	if end := f.start(ctx); end != nil {
		return *end
	}
	if f.handedOver() {
		return ending{handedOver: true}
	}
	f.attendants.gpus.start(ctx, gpus)
	f.unit.advise(ctx, f.container)
	f.engine.CloseIdle()
	end := f.follow(ctx)
	if !end.handedOver {
		drain(f.running.output.Done())
	}
	return end
}

// listen begins to listen to the container: its output, its exit and its events.
func (f *follower) listen(ctx context.Context, wait func(context.Context, string) <-chan engine.Exit) error {
	c, since := f.running, time.Now()
	if c.output == nil {
		var err error
		if c.output, err = f.relay.attach(ctx, c.id); err != nil {
			return err
		}
	} else {
		c.output = f.relay.resume(ctx, c.id, c.output)
	}
	c.listeningSince = since
	c.exit = wait(ctx, c.id)
	if c.events == nil {
		c.events = f.engine.Events(ctx, c.id, "health_status", "kill", "die", "stop", "start", "pause", "unpause")
	}
	return nil
}

// start starts the container and everything that looks after it.
func (f *follower) start(ctx context.Context) *ending {
	c := f.running
	if end := f.launcher.start(ctx, c.id); end != nil {
		return end
	}
	if err := f.launcher.adopt(ctx, c); err != nil {
		return endWith(notRun(err))
	}
	f.report.pid = c.process.id()
	f.inbox.dropSignals()
	f.report.life.send(eventStarted)
	if f.container.Notify.AtOnce() {
		f.report.life.send(eventReady)
	} else {
		f.report.allowReadiness(ctx, f.unit)
	}
	f.attendants.watch(ctx, c)
	return nil
}

// handedOver says whether the container was left to systemd.
func (f *follower) handedOver() bool {
	return detaches(f.container) && f.report.life.phase == phaseRunning
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
	case err := <-f.loop.stopped:
		return f.stopReturned(err)
	}
}

// exited acts on the exit that Docker reports, or on the loss of the connection.
func (f *follower) exited(ctx context.Context, exit engine.Exit) *ending {
	c, stopping := f.running, f.loop.mode == modeStopping
	switch {
	case exit.Err != nil && stopping:
		return f.terminate(exit.Err)
	case exit.Err != nil:
		return f.lostDocker(ctx, exit.Err)
	case stopping:
		return endWith(c.stopEnding(exit.Code))
	case f.inbox.stopRequested():
		// With KillMode=control-group systemd signals the container itself, which
		// may be quicker.
		f.report.life.send(eventStopRequested)
		return endWith(c.stopEnding(exit.Code))
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
		f.report.log.Info("health changed", zap.String("health", event.Health))
		wasReady := f.report.life.phase == phaseRunning
		f.attendants.readiness.health(event.Health)
		if wasReady {
			f.report.notify.Status(f.report.status() + ", " + event.Health)
		}
	case "pause", "unpause":
		f.report.log.Info("someone has paused or unpaused the container", zap.String("action", event.Action))
		f.attendants.setPaused(ctx, event.Action == "pause")
	case "kill":
		c.signs.signal(syscall.Signal(event.Signal), c.stopSignal)
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
	if sig == syscall.SIGABRT {
		f.attendants.watchdog.expired()
		return f.stop(ctx)
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
		f.kill()
	case modeKilling:
		return f.killed()
	case modeFollowing, modeStopping: // have no limit
	}
	return nil
}

// followOn lets the loop follow a container that Docker reports about again.
func (f *follower) followOn() { f.loop.enter(modeFollowing, noLimit) }

// isPaused says whether someone has paused a container.
func isPaused(c engine.Container) bool { return c.Status == container.StatePaused }

// drain waits for the last output, but not for ever: another process of the
// container may keep the stream open.
func drain(done <-chan struct{}) {
	timeout := time.NewTimer(drainTimeout)
	defer timeout.Stop()
	select {
	case <-done:
	case <-timeout.C:
	}
}
