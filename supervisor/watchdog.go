package supervisor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/journal"
)

// watchdog feeds systemd's watchdog while the container is well. It does so in
// separate goroutines, so that a Docker that hangs does not end the unit.
type watchdog struct {
	// interval is the unit's WatchdogSec=; 0 where it has none.
	interval time.Duration
	// asked is what the container has set in its place (WATCHDOG_USEC=), in nanoseconds; 0
	// for nothing.
	asked  atomic.Int64
	report *reporter
	inbox  *inbox
	log    *zap.Logger
	// unpause ends the feeding for a paused container; nil while it is not paused.
	unpause context.CancelFunc
}

// feedWhile feeds the watchdog from the time that the container is ready, for as
// long as check returns nil, until ctx ends. Without a watchdog it does nothing,
// and nothing wakes the supervisor.
func (w *watchdog) feedWhile(ctx context.Context, check func(context.Context) error) {
	if w.interval == 0 {
		return
	}
	go func() {
		select {
		case <-w.report.becameReady:
		case <-ctx.Done():
			return
		}
		w.feed(ctx, check)
	}()
}

// limit returns how long systemd waits for a sign of life, 0 for ever.
func (w *watchdog) limit() time.Duration {
	if asked := time.Duration(w.asked.Load()); asked > 0 {
		return asked
	}
	return w.interval
}

// feed checks at half the interval, as sd_watchdog_enabled(3) recommends, and
// more often after a failed check.
func (w *watchdog) feed(ctx context.Context, check func(context.Context) error) {
	var ill error
	for wait := w.limit() / 2; ; {
		pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		err := check(ctx)
		if err == nil {
			w.report.notify.Watchdog()
			wait = w.limit() / 2
		} else {
			wait = w.limit() / 8
		}
		if (err == nil) != (ill == nil) && ctx.Err() == nil {
			w.inbox.do(ctx, func() { w.changed(err) })
		}
		ill = err
	}
}

// changed reports that the container became ill, or well again if err is nil. One that is
// being stopped may fail its check without being ill.
func (w *watchdog) changed(err error) {
	if err != nil && w.report.life.phase == phaseStopping {
		return
	}
	w.report.condition.ill = err
	if err == nil {
		journal.Healthy.Log(w.log)
	} else {
		journal.Unhealthy.Say(w.log, "container is not well: systemd's watchdog ends it unless it recovers", zap.Error(err), zap.Duration("watchdog", w.limit()))
	}
	w.report.showRunning()
}

// setPaused feeds the watchdog while someone has paused the container, which
// then cannot pass any check.
func (w *watchdog) setPaused(ctx context.Context, paused bool) {
	if w.unpause != nil {
		w.unpause()
		w.unpause = nil
	}
	if !paused || w.limit() == 0 {
		return
	}
	ctx, w.unpause = context.WithCancel(ctx)
	w.report.notify.Watchdog()
	go w.feed(ctx, func(context.Context) error { return nil })
}

// expired reports that systemd's watchdog had no sign of life in time.
func (w *watchdog) expired() {
	cause := w.report.condition.ill
	if cause == nil {
		cause = fmt.Errorf("it gave no sign of life within %s", w.limit().Round(time.Millisecond))
	}
	w.log.Error("systemd's watchdog ends the container", zap.Error(cause))
	w.report.recordFailure(fromOutside(fmt.Errorf("systemd's watchdog ended the container: %w", cause)))
}
