package supervisor

import (
	"context"
	"time"
)

// eventLag bounds the wait for the events that explain an end: they come on
// another connection than the exit.
const eventLag = 2 * time.Second

// beginJudging waits for the events that explain an exit.
func (f *follower) beginJudging(ctx context.Context, code int) *ending {
	f.loop.enter(modeJudging, eventLag)
	f.loop.code = code
	return f.judgeWhenComplete(ctx)
}

// judgeWhenComplete judges an exit as soon as no further event can explain it.
// An exit that no signal came before is judged at once.
func (f *follower) judgeWhenComplete(ctx context.Context) *ending {
	if f.running.events != nil && !f.running.signs.complete() {
		return nil
	}
	return f.judgeNow(ctx)
}

// judgeNow turns the exit code into an ending, unless docker restart may have
// begun.
func (f *follower) judgeNow(ctx context.Context) *ending {
	c, code := f.running, f.loop.code
	switch {
	case c.signs.maybeStopped() && f.judge.dockerLeft(ctx, c):
		return new(takenAlong(code))
	case c.signs.stopped:
		return f.awaitRestart(ctx)
	}
	return new(f.judge.exited(ctx, c, code))
}
