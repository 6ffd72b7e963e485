package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/systemd"
)

const (
	// killDelay is how long a unit may stay in one state of its stop after its
	// TimeoutStopSec. systemd itself kills it at that time, unless something has extended
	// the time.
	killDelay = 10 * time.Second
	// stopLook is how long a unit that stops is left alone without a change.
	stopLook = time.Minute
	// settlePatience bounds how long a reload lasts because of the stops that it causes:
	// longer than a container that obeys needs.
	settlePatience = time.Second
)

// errStarted means that a unit was started before its stop had ended.
var errStarted = errors.New("it was started again meanwhile")

// retirer stops units that nothing needs any more, side by side with everything else:
// the agent waits for none of them. Its methods begin and drop are called while no other
// containers are put in force.
type retirer struct {
	systemd unitManager
	log     *zap.Logger

	mu    sync.Mutex
	units map[string]*retirement
	// open are all stops whose done is not closed: also those of units that have stopped,
	// while what follows is done.
	open map[*retirement]bool
}

// retirement is the stop of one unit.
type retirement struct {
	// cancel ends the wait for the stop, which continues.
	cancel context.CancelFunc
	// done is closed when nothing waits for the stop any more; err is its outcome.
	done chan struct{}
	err  error
}

func newRetirer(units unitManager, log *zap.Logger) *retirer {
	return &retirer{systemd: units, log: log, units: map[string]*retirement{}, open: map[*retirement]bool{}}
}

// begin has systemd stop a unit, and returns at once. Once the unit has stopped, it calls
// after. There, current drops the unit, and reports whether this stop was the last thing
// that was begun for the unit.
func (r *retirer) begin(ctx context.Context, unit string, after func(ctx context.Context, current func() bool) error) (*retirement, error) {
	if err := r.systemd.BeginStop(ctx, unit); err != nil && !errors.Is(err, systemd.ErrNoUnit) {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if begun := r.units[unit]; begun != nil {
		return begun, nil
	}
	waiting, cancel := context.WithCancel(ctx)
	stop := &retirement{cancel: cancel, done: make(chan struct{})}
	r.units[unit], r.open[stop] = stop, true
	go func() {
		defer r.close(stop)
		defer cancel()
		stop.err = r.await(waiting, unit)
		current := func() bool { return r.end(unit, stop) }
		if stop.err == nil {
			stop.err = after(ctx, current)
		} else {
			current()
		}
		if waiting.Err() != nil && ctx.Err() == nil && stop.err != nil {
			stop.err = fmt.Errorf("stop %s: %w", unit, errStarted)
		}
		if stop.err != nil && waiting.Err() == nil && !errors.Is(stop.err, errStarted) {
			r.log.Warn("unit that is not needed any more not removed", zap.String("unit", unit), zap.Error(stop.err))
		}
	}()
	return stop, nil
}

// close ends a stop for those who wait for it.
func (r *retirer) close(stop *retirement) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, stop)
	close(stop.done)
}

// end forgets a stop, and reports whether it was the current one of its unit.
func (r *retirer) end(unit string, stop *retirement) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.units[unit] != stop {
		return false
	}
	delete(r.units, unit)
	return true
}

// has reports whether a unit is being stopped.
func (r *retirer) has(unit string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.units[unit] != nil
}

// all returns the stops that have not ended, by unit.
func (r *retirer) all() map[string]*retirement {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.units)
}

// drop gives up a stop, because the unit is needed again, and reports whether there was
// one.
func (r *retirer) drop(unit string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	stop := r.units[unit]
	if stop == nil {
		return false
	}
	delete(r.units, unit)
	stop.cancel()
	return true
}

// settle waits until all units that are being stopped have stopped, but not longer than
// patience.
func (r *retirer) settle(ctx context.Context, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r.mu.Lock()
	stops := slices.Collect(maps.Keys(r.open))
	r.mu.Unlock()
	for _, stop := range stops {
		_ = stop.wait(ctx)
	}
}

// wait waits until the unit has stopped, and what follows is done.
func (s *retirement) wait(ctx context.Context) error {
	select {
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the stop: %w", ctx.Err())
	}
}

// stop stops a unit, and returns when it has stopped.
func (r *retirer) stop(ctx context.Context, unit string) error {
	if err := r.systemd.BeginStop(ctx, unit); err != nil {
		if errors.Is(err, systemd.ErrNoUnit) {
			return nil
		}
		return err
	}
	return r.await(ctx, unit)
}

// await returns when a unit that systemd stops has stopped. It kills one that outlives
// its TimeoutStopSec.
func (r *retirer) await(ctx context.Context, name string) error {
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	changes, err := r.systemd.Watch(watch, name)
	if err != nil {
		changes = nil // it is looked at from time to time
	}
	down := false
	for {
		unit, err := r.systemd.Unit(ctx, name)
		switch {
		case errors.Is(err, systemd.ErrNoUnit):
			return nil
		case err != nil && ctx.Err() == nil:
			return err
		case err == nil && unit.Active() && (down || !unit.Job):
			return fmt.Errorf("stop %s: %w", name, errStarted)
		case err == nil && !unit.Active() && unit.ActiveState != "deactivating" && !unit.Job:
			return nil
		}
		down = down || err == nil && !unit.Active()
		next := time.NewTimer(r.kill(ctx, unit))
		select {
		case <-ctx.Done():
			next.Stop()
			return fmt.Errorf("stop %s: %w", name, context.Cause(ctx))
		case _, open := <-changes:
			if !open {
				changes = nil
			}
		case <-next.C:
		}
		next.Stop()
	}
}

// kill kills a unit that has outlived its TimeoutStopSec, and returns when to look at it
// again. A unit that stops for other ones first has not begun to stop.
func (r *retirer) kill(ctx context.Context, unit systemd.Unit) time.Duration {
	if unit.ActiveState != "deactivating" || unit.TimeoutStop == 0 || unit.Since.IsZero() {
		return stopLook
	}
	left := time.Until(unit.Since.Add(unit.TimeoutStop + killDelay))
	if left > 0 {
		return min(left, stopLook)
	}
	r.log.Warn("killing a unit that outlives its TimeoutStopSec", zap.String("unit", unit.Name), zap.Duration("timeout", unit.TimeoutStop))
	if err := r.systemd.Kill(ctx, unit.Name, syscall.SIGKILL); err != nil && ctx.Err() == nil {
		r.log.Warn("unit not killed", zap.String("unit", unit.Name), zap.Error(err))
	}
	return killDelay
}
