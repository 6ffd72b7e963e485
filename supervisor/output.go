package supervisor

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
)

// output is the relay of a container's output: by attaching, which is begun
// before the start; and by the container's log for the rest of its life, once
// Docker was away.
type output struct {
	relay *engine.Relay
	// unreadable says that there is no log, which was said.
	unreadable bool
	cancel     context.CancelFunc
	done       <-chan struct{}
}

// attach begins to relay what of a container's output is wanted.
func (s *Supervisor) attach(ctx context.Context, id string) (*output, error) {
	out := engine.Output{Stdout: s.Stdout, Stderr: s.Stderr, TTY: s.spec.Config.Tty, Trouble: func(err error) {
		s.Log.Error("output is lost", zap.Error(err))
	}}
	if run := s.spec.Run; run != nil {
		if run.Quiet || !run.Stdout {
			out.Stdout = nil
		}
		if run.Quiet || !run.Stderr {
			out.Stderr = nil
		}
	}
	relay, err := s.Engine.Attach(ctx, id, out)
	if err != nil {
		return nil, err
	}
	return &output{relay: relay, cancel: relay.Close, done: relay.Done()}, nil
}

// resume goes on where the relay that was lost has ended.
func (s *Supervisor) resume(ctx context.Context, id string, lost *output) *output {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	o := &output{cancel: cancel, done: done}
	lost.Close()
	go func() {
		defer close(done)
		<-lost.done // it may be writing still
		o.relay, o.unreadable = lost.relay, lost.unreadable
		s.followLog(ctx, id, o)
	}()
	return o
}

// followLog relays the log until the container has ended, and tries again until
// then whatever happens.
func (s *Supervisor) followLog(ctx context.Context, id string, o *output) {
	tries := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	for last := false; ; {
		err := s.Engine.Follow(ctx, id, o.relay)
		switch {
		case ctx.Err() != nil, errors.Is(err, engine.ErrNotFound), err == nil && last:
			return
		case errors.Is(err, engine.ErrUnreadable):
			s.attachAgain(ctx, id, o, err)
			return
		case err == nil:
			// The log ends with the container, and what was logged last may have
			// come after its end was seen.
			found, err := s.Engine.Inspect(ctx, id)
			if last = err == nil && !found.Running; last {
				continue
			}
		default:
			s.Log.Debug("log not followed", zap.Error(err))
		}
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

// attachAgain is for a container without a log.
func (s *Supervisor) attachAgain(ctx context.Context, id string, o *output, cause error) {
	if !o.unreadable {
		o.unreadable = true
		s.Log.Warn("what the container printed while Docker was away is lost", zap.Error(cause))
	}
	relay, err := s.Engine.Attach(ctx, id, o.relay.Output())
	if err != nil {
		s.Log.Warn("output is not relayed", zap.Error(err))
		return
	}
	o.relay = relay
	defer relay.Close()
	select {
	case <-relay.Done():
	case <-ctx.Done():
		// What is being written must not be overtaken by who comes next.
		relay.Close()
		<-relay.Done()
	}
}

// Done is closed when the last byte was relayed.
func (o *output) Done() <-chan struct{} { return o.done }

// Close ends the relay. It does not wait for what is being written.
func (o *output) Close() { o.cancel() }
