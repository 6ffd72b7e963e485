package supervisor

import (
	"context"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/spec"
)

const (
	// defaultGrace is Docker's own time between the stop signal and SIGKILL.
	defaultGrace = 10 * time.Second
	// stopMargin is the part of the unit's stop timeout that is kept for the
	// removal of the container.
	stopMargin = 2 * time.Second
	// lastMoment is the part that is kept for the supervisor's own end.
	lastMoment = 500 * time.Millisecond
	// dockerPatience is how long Docker may take to send a signal.
	dockerPatience = 3 * time.Second
	// lateCode is how long Docker may take to report the exit code of a container
	// that was asked to stop.
	lateCode = 5 * time.Second
	// killTime is how long a process may take to end on SIGKILL.
	killTime = time.Second
	// busTimeout bounds a question to systemd during a stop.
	busTimeout = time.Second
	exitKilled = 128 + 9
)

// stopEngine stops containers.
type stopEngine interface {
	hookEngine
	Ping(ctx context.Context) error
	Stop(ctx context.Context, id string, grace time.Duration) error
}

// stopper knows how long a container may take to stop, and Docker to stop it.
type stopper struct {
	engine    stopEngine
	container *spec.Container
	unit      *unit
	log       *zap.Logger
	// requested is when the stop was requested; nil before.
	requested atomic.Pointer[time.Time]
	// timeout is the unit's stop timeout; nil before it was read, and 0 without one.
	timeout atomic.Pointer[time.Duration]
}

// outlive returns a context for what must be completed after the end of ctx, which
// requests the stop. It ends shortly before the unit's stop timeout, so that a Docker
// that hangs does not keep the supervisor.
func (s *stopper) outlive(ctx context.Context) (context.Context, context.CancelFunc) {
	outliving, cancel := context.WithCancel(context.WithoutCancel(ctx))
	forget := context.AfterFunc(ctx, func() {
		s.request()
		if timeout := s.stopTimeout(outliving); timeout > 0 {
			time.AfterFunc(max(timeout-lastMoment-s.elapsed(), 0), cancel)
		}
	})
	return outliving, func() {
		forget()
		cancel()
	}
}

// request notes the time of the request. The time before the container can be
// stopped counts as part of the unit's stop timeout.
func (s *stopper) request() {
	now := time.Now()
	s.requested.Store(&now)
}

// requestedAt returns when the stop was requested: now, if it has not been noted yet.
func (s *stopper) requestedAt() time.Time {
	if requested := s.requested.Load(); requested != nil {
		return *requested
	}
	return time.Now()
}

// elapsed returns the time since the stop was requested.
func (s *stopper) elapsed() time.Duration {
	if requested := s.requested.Load(); requested != nil {
		return time.Since(*requested)
	}
	return 0
}

// stopTimeout returns the unit's stop timeout, 0 if it has none or systemd does not
// answer.
func (s *stopper) stopTimeout(ctx context.Context) time.Duration {
	if timeout := s.timeout.Load(); timeout != nil {
		return *timeout
	}
	ctx, cancel := context.WithTimeout(ctx, busTimeout)
	defer cancel()
	properties, err := s.unit.read(ctx)
	if err != nil {
		return 0
	}
	s.timeout.Store(&properties.TimeoutStop)
	return properties.TimeoutStop
}

// grace returns how long the container may take to end: its own grace period,
// or the rest of the unit's stop timeout if that is shorter. It is negative
// where neither limits it.
func (s *stopper) grace(ctx context.Context) time.Duration {
	grace := s.ownGrace()
	timeout := s.stopTimeout(ctx)
	if timeout == 0 {
		return grace
	}
	limit := max(timeout-stopMargin-s.elapsed(), time.Second)
	if grace >= 0 && grace <= limit {
		return grace
	}
	s.log.Warn("the unit's stop timeout cuts the container's grace period short",
		zap.Duration("timeout_stop", timeout), zap.Duration("stop_grace_period", grace))
	return limit
}

// ownGrace returns the container's own time between its stop signal and SIGKILL; negative for
// one without a limit.
func (s *stopper) ownGrace() time.Duration {
	if own := s.container.Config.StopTimeout; own != nil {
		return time.Duration(*own) * time.Second
	}
	return defaultGrace
}

// within cuts a grace period to the rest of the unit's stop timeout.
func (s *stopper) within(grace time.Duration) time.Duration {
	timeout := s.timeout.Load()
	if timeout == nil || *timeout == 0 {
		return grace
	}
	rest := max(*timeout-stopMargin-s.elapsed(), lastMoment)
	if grace < 0 {
		return rest
	}
	return min(grace, rest)
}

// patience returns how long to wait for Docker. Docker and the container each get
// half of a short stop timeout.
func (s *stopper) patience() time.Duration {
	return min(dockerPatience, max(s.within(2*dockerPatience)/2, lastMoment))
}

// codeTimeout returns how long Docker may take to report the exit code.
func (s *stopper) codeTimeout() time.Duration { return s.within(lateCode) }

// prepare runs the container's pre_stop. The channel gets what is left of the grace
// period.
func (s *stopper) prepare(ctx context.Context, id string, grace time.Duration) <-chan time.Duration {
	prepared := make(chan time.Duration, 1)
	go func() { prepared <- s.preStop(ctx, id, grace) }()
	return prepared
}

// ask asks Docker to stop the container. The channel gets the result.
func (s *stopper) ask(ctx context.Context, id string, grace time.Duration) <-chan error {
	stopped := make(chan error, 1)
	go func() { stopped <- s.engine.Stop(ctx, id, grace) }()
	return stopped
}
