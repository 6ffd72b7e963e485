package supervisor

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"
)

// feedWatchdog keeps systemd's watchdog quiet for as long as the container is
// well, from when it is ready until ctx ends. Where the unit has no watchdog
// there is nothing to do, and nothing wakes the supervisor.
func (s *Supervisor) feedWatchdog(ctx context.Context, well func(context.Context) error) {
	if s.Watchdog == 0 {
		return
	}
	go func() {
		select {
		case <-s.becameReady:
		case <-ctx.Done():
			return
		}
		s.feed(ctx, well)
	}()
}

// feed asks at half the interval, as sd_watchdog_enabled(3) has it, and sooner
// after an answer that was bad, which may be one of few.
func (s *Supervisor) feed(ctx context.Context, well func(context.Context) error) {
	var ill error
	for wait := s.Watchdog / 2; ; {
		s.pause(ctx, wait)
		if ctx.Err() != nil {
			return
		}
		err := well(ctx)
		if err == nil {
			s.Notify.Watchdog()
			wait = s.Watchdog / 2
		} else {
			wait = s.Watchdog / 8
		}
		if (err == nil) != (ill == nil) && ctx.Err() == nil {
			s.call(ctx, func() { s.becameIll(err) })
		}
		ill = err
	}
}

// becameIll says that the container is not well, or well again where err is
// nil.
func (s *Supervisor) becameIll(err error) {
	s.ill = err
	if err == nil {
		s.Log.Info("container is well again")
	} else {
		s.Log.Warn("container is not well, and systemd's watchdog ends it unless that passes", zap.Error(err), zap.Duration("watchdog", s.Watchdog))
	}
	if s.life.phase == phaseRunning {
		s.Notify.Status(s.runningStatus())
	}
}

// setPaused feeds the watchdog while someone has paused the container, which
// then can say nothing for itself.
func (s *Supervisor) setPaused(ctx context.Context, paused bool) {
	s.paused.Store(paused)
	if s.unpause != nil {
		s.unpause()
		s.unpause = nil
	}
	if !paused || s.Watchdog == 0 {
		return
	}
	ctx, s.unpause = context.WithCancel(ctx)
	s.Notify.Watchdog()
	go s.feed(ctx, func(context.Context) error { return nil })
}

// expired takes note that systemd's watchdog had no sign of life.
func (s *Supervisor) expired() {
	why := s.ill
	if why == nil {
		why = fmt.Errorf("it did not say that it is alive within %s", s.Watchdog.Round(time.Millisecond))
	}
	s.Log.Error("systemd's watchdog ends the container", zap.Error(why))
	s.failed(fmt.Errorf("systemd's watchdog ended the container: %w", why))
}
