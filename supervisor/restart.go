package supervisor

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
)

// restartLag is how long after a stop Docker may take to begin the start that
// makes it a docker restart.
const restartLag = 100 * time.Millisecond

// awaitRestart waits for the start that follows a stop by docker restart.
func (f *follower) awaitRestart(ctx context.Context) *ending {
	f.loop.enter(modeRestarting, restartLag)
	return f.restartWhenStarted(ctx)
}

// restartWhenStarted continues as soon as Docker reports the start, or goes away.
func (f *follower) restartWhenStarted(ctx context.Context) *ending {
	if f.running.events != nil && !f.running.signs.started {
		return nil
	}
	return f.restartedOrStopped(ctx)
}

// restartedOrStopped asks Docker whether the container runs again. During a
// docker restart Docker answers only once the container has started, however
// long that takes.
func (f *follower) restartedOrStopped(ctx context.Context) *ending {
	container, err := f.engine.Inspect(ctx, f.running.id)
	if err == nil && container.Running {
		return f.restarted(ctx)
	}
	f.report.log.Info("container was stopped by docker stop", zap.Int("exit_code", f.loop.code))
	f.report.life.send(eventStopRequested)
	return new(f.stopEnding(f.loop.code))
}

// restarted follows a container that docker restart has started again. It was
// born in the unit again, since its placement still exists.
func (f *follower) restarted(ctx context.Context) *ending {
	before := f.running
	before.process.close()
	f.running = &running{id: before.id, output: before.output, events: before.events, memory: memoryUse{atStart: f.unit.memory()}}
	if err := f.listen(ctx, f.engine.WaitEnded); err != nil {
		return new(notRun(err))
	}
	if err := f.launcher.adopt(ctx, f.running); err != nil {
		return new(notRun(err))
	}
	f.followOn()
	journal.Restarted.Log(f.report.log)
	f.report.newCgroup()
	f.report.life.send(eventRestarted)
	f.report.pid = f.running.process.id()
	if f.container.Notify.AtOnce() {
		f.report.life.send(eventReady)
	}
	f.attendants.watch(ctx, f.running)
	f.attendants.readiness.health(f.running.health) // its event may have come before the restart was known
	f.report.health(f.running.health)
	return nil
}
