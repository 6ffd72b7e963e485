package supervisor

import (
	"context"
	"time"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/gpu/attachment"
	"github.com/dockhost/dockhost/spec"
)

const (
	// drainTimeout bounds the wait for a container's last output.
	drainTimeout = 5 * time.Second
	// askTimeout bounds a request to a Docker that may not answer.
	askTimeout = 5 * time.Second
	// lostTimeout bounds what a Docker that did not answer is waited for at the end.
	lostTimeout = time.Second
)

// follower follows one container from its start to its end, by the event loop in
// loop.go.
type follower struct {
	engine     followEngine
	container  *spec.Container
	unit       *unit
	report     *reporter
	inbox      *inbox
	attendants attendants
	launcher   *launcher
	relay      *relay
	terminal   *terminal
	stopper    *stopper
	judge      *judge
	// restore writes the files in the run directory again.
	restore func()
	running *running
	loop    loop
}

// followEngine is what the follower calls on Docker Engine.
type followEngine interface {
	containerWatcher
	pinger
	hookEngine
	CloseIdle()
}

// attendants look after a running container in parallel to the event loop.
type attendants struct {
	readiness readiness
	watchdog  *watchdog
	gpus      *gpuWatch
	reloads   *reloader
}

// watch follows a container whose first process was started.
func (a attendants) watch(ctx context.Context, c *running) {
	a.gpus.pid.Store(int64(c.process.id()))
	a.readiness.watch(ctx, c.id, c.process)
}

// setPaused tells the attendants that someone has paused the container, or let
// it continue.
func (a attendants) setPaused(ctx context.Context, paused bool) {
	a.gpus.paused.Store(paused)
	a.watchdog.setPaused(ctx, paused)
}

// run starts a container that was created, and returns when it has ended or was
// handed over to systemd. The supervisor listens to it before the start, so that
// it misses nothing. ctx outlives the request to stop the container.
func (f *follower) run(ctx context.Context, id string, gpus attachment.Attachment) ending {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	f.running = &running{id: id, memory: memoryUse{atStart: f.unit.memory()}}
	if err := f.listen(ctx, f.engine.Wait); err != nil {
		return notRun(err)
	}
	defer func() {
		f.terminal.giveBack()
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
	switch {
	case end.handedOver:
	case end.dockerLost:
		drain(ctx, f.running.output.Done(), lostTimeout)
	default:
		drain(ctx, f.running.output.Done(), drainTimeout)
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
		c.events = f.engine.Events(ctx, c.id, "health_status", "kill", "die", "stop", "start", "pause", "unpause", "oom")
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
		return new(notRun(err))
	}
	f.terminal.take(ctx, c.id)
	f.report.pid = c.process.id()
	f.inbox.dropSignals()
	f.report.life.send(eventStarted)
	if !f.container.Notify.AtOnce() || len(f.container.PostStart) > 0 {
		f.report.allowReadiness(ctx, f.unit)
	}
	if f.postStart(ctx) && f.container.Notify.AtOnce() {
		f.report.life.send(eventReady)
	}
	f.attendants.watch(ctx, c)
	return nil
}

// handedOver says whether the container was left to systemd.
func (f *follower) handedOver() bool {
	return detaches(f.container) && f.report.life.phase == phaseRunning
}

// drain waits for the last output, but not for ever: another process of the
// container may keep the stream open.
func drain(ctx context.Context, done <-chan struct{}, limit time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
