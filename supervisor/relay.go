package supervisor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

// outputSource reads a container's output.
type outputSource interface {
	inspector
	Attach(ctx context.Context, id string, in io.Reader, out engine.Output) (*engine.Relay, error)
	Follow(ctx context.Context, id string, r *engine.Relay) error
}

// relay copies a container's output to the supervisor's.
type relay struct {
	engine    outputSource
	container *spec.Container
	// stdin is relayed to the container; nil for none.
	stdin io.Reader
	// stdout and stderr get the container's streams.
	stdout, stderr io.Writer
	log            *zap.Logger
}

// output is one container's output on its way. It is read from an attached
// connection, which is opened before the start, and after Docker was away from
// the container's log.
type output struct {
	relay *engine.Relay
	// unreadable says that the container has no log, which was logged.
	unreadable bool
	cancel     context.CancelFunc
	done       <-chan struct{}
}

// Done is closed when the last byte was relayed.
func (o *output) Done() <-chan struct{} { return o.done }

// Close ends the relay. It does not wait for a write that is under way.
func (o *output) Close() { o.cancel() }

// attach begins to relay the streams that the container's declaration asks for.
func (r *relay) attach(ctx context.Context, id string) (*output, error) {
	out := engine.Output{Stdout: r.stdout, Stderr: r.stderr, TTY: r.container.Config.Tty, Trouble: func(err error) {
		r.log.Error("output is lost", zap.Error(err))
	}}
	if run := r.container.Run; run != nil {
		if run.Quiet || !run.Stdout {
			out.Stdout = nil
		}
		if run.Quiet || !run.Stderr {
			out.Stderr = nil
		}
	}
	attached, err := r.engine.Attach(ctx, id, r.stdin, out)
	if err != nil {
		return nil, err
	}
	return &output{relay: attached, cancel: attached.Close, done: attached.Done()}, nil
}

// resume continues where an output ended whose connection was lost.
func (r *relay) resume(ctx context.Context, id string, lost *output) *output {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	o := &output{cancel: cancel, done: done}
	lost.Close()
	go func() {
		defer close(done)
		<-lost.done // its last write may be under way
		o.relay, o.unreadable = lost.relay, lost.unreadable
		r.followLog(ctx, id, o)
	}()
	return o
}

// maxBroken is how often in a row Docker may fail to read on in the log. A message
// that is just being written is whole at the next try, a broken one never is.
const maxBroken = 4

// followedWell is how long Docker must have read a log for it to be whole: what ended then
// was Docker, which restarted for example.
const followedWell = time.Minute

// followLog relays the log until the container has ended. It retries every
// error, but attaches again if the log cannot be read.
func (r *relay) followLog(ctx context.Context, id string, o *output) {
	tries := backoff.Backoff{Next: 100 * time.Millisecond, Cap: 5 * time.Second}
	broken := 0
	var run time.Time // the start of the run of the container at whose log's end it ran still
	for last := false; ; {
		began := time.Now()
		err := r.engine.Follow(ctx, id, o.relay)
		if time.Since(began) > followedWell {
			broken, run = 0, time.Time{}
		}
		if err == nil && !last {
			if last, err = r.endsLog(ctx, id, &run); last {
				continue
			}
		}
		if broken++; !errors.Is(err, engine.ErrBroken) {
			broken = 0
		}
		switch {
		case ctx.Err() != nil, errors.Is(err, engine.ErrNotFound), err == nil && last:
			return
		case errors.Is(err, engine.ErrUnreadable), broken == maxBroken:
			r.attachAgain(ctx, id, o, err)
			return
		case err != nil:
			r.log.Debug("log not followed", zap.Error(err))
		}
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

// endsLog says whether the log has ended with the container. It is read once more then,
// since its last lines may have been written after that. A log that ends twice in the same
// run of the container is broken: so Docker 29 answers for one that it cannot read, where
// older versions send an error.
func (r *relay) endsLog(ctx context.Context, id string, run *time.Time) (last bool, err error) {
	container, err := r.engine.Inspect(ctx, id)
	switch {
	case err != nil:
		return false, nil //nolint:nilerr // the next reading of the log tells
	case !container.Running:
		return true, nil
	case container.StartedAt.Equal(*run):
		return false, fmt.Errorf("it ends before the container: %w", engine.ErrBroken)
	}
	*run = container.StartedAt
	return false, nil
}

// attachAgain relays the output of a container without a log, or with a broken one.
func (r *relay) attachAgain(ctx context.Context, id string, o *output, cause error) {
	if !o.unreadable {
		o.unreadable = true
		what := "what the container printed while Docker was away is lost"
		if errors.Is(cause, engine.ErrBroken) {
			what = "output is lost, because Docker cannot read the container's log; a full disk damages it"
		}
		r.log.Warn(what, zap.Error(cause))
	}
	attached, err := r.engine.Attach(ctx, id, nil, o.relay.Output())
	if err != nil {
		r.log.Warn("output is not relayed", zap.Error(err))
		return
	}
	o.relay = attached
	defer attached.Close()
	select {
	case <-attached.Done():
	case <-ctx.Done():
		// A write that is under way must end before the next output begins.
		attached.Close()
		<-attached.Done()
	}
}
