package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
)

const (
	// logTail is how many of a log's last messages are asked for first: to find
	// a time in a log of gigabytes costs Docker minutes.
	logTail = "4096"
	// logMargin is how long something may take within Docker from being logged
	// to being sent to who is attached.
	logMargin = 5 * time.Second
)

// errTooLate means that what was asked for of a log begins too late.
var errTooLate = errors.New("the log's last messages do not reach back so far")

// Follow goes on with a relay whose connection was lost, by the container's
// log: with what came after the last byte that was relayed, until the container
// ends. It returns nil where the log ends, [ErrUnreadable] when the container's
// logging driver keeps none, [ErrNotFound] when there is no such container.
// After any other error it may be called again, and goes on where it was.
//
// What Docker had read of the output when it ended and had not logged yet is
// lost.
func (c *Client) Follow(ctx context.Context, id string, r *Relay) error {
	<-r.done
	stdout, stderr := r.out.wanted()
	if !stdout && !stderr {
		return nil
	}
	if !r.marked {
		if err := c.findMarks(ctx, id, r); err != nil {
			return err
		}
		r.marked = true
	}
	from := r.streams[0].mark.time()
	if other := r.streams[1].mark.time(); !stdout || (stderr && other.Before(from)) {
		from = other
	}
	var after [2]resumed
	return c.readLog(ctx, id, logRead{
		out: r.out, from: from, follow: true, write: r.write,
		begin: func() {
			for i := range after {
				after[i] = resumed{mark: r.streams[i].mark.copy(r.streams[i].mark.head)}
			}
		},
		message: func(stream int, stamp, text []byte) int {
			if after[stream].skips(stamp) {
				return len(text)
			}
			done := &r.streams[stream].mark
			done.count(stamp)
			done.head = nil
			return after[stream].cut(text)
		},
	})
}

// resumed is a stream whose log is read from a mark on.
type resumed struct {
	mark
	passed int
	found  bool
}

// skips says whether a message was relayed already. Once one was not, none was:
// clocks are set back at times.
func (s *resumed) skips(stamp []byte) bool {
	if s.found {
		return false
	}
	switch at := timeOf(stamp).Compare(timeOf(s.stamp)); {
	case at < 0:
		return true
	case at == 0 && s.passed < s.n:
		s.passed++
		return true
	}
	s.found = true
	return false
}

// cut returns how much of the first message was relayed already.
func (s *resumed) cut(text []byte) int {
	head := s.head
	s.head = nil
	if bytes.HasPrefix(text, head) {
		return len(head)
	}
	return 0
}

// findMarks finds, in the container's log, where a relay that was attached has
// ended.
func (c *Client) findMarks(ctx context.Context, id string, r *Relay) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	from, until := r.caughtUp.Add(-logMargin), r.ended.Add(skew)
	var finders [2]*finder
	err := c.readLog(ctx, id, logRead{
		out: r.out, from: from, until: until, write: r.write,
		begin: func() {
			for i := range finders {
				finders[i] = newFinder(&r.streams[i].tail)
			}
		},
		message: func(stream int, stamp, text []byte) int {
			if at := timeOf(stamp); !at.Before(from) && !at.After(until) {
				finders[stream].message(stamp, text)
			}
			return len(text)
		},
	})
	if err != nil {
		return err
	}
	for i := range r.streams {
		r.streams[i].mark, r.streams[i].tail = finders[i].result(from), tail{}
	}
	return nil
}

// logRead is one reading of a container's log.
type logRead struct {
	out Output
	// from is the time from which on messages are needed; earlier ones come
	// too. Those after until need not come, unless it is zero.
	from, until time.Time
	follow      bool
	// begin is called before the first message, maybe again.
	begin func()
	// message gets each message and returns how much of it write does not get.
	message func(stream int, stamp, text []byte) int
	write   func(stream int, p []byte)
}

// readLog returns nil at the end of the log.
func (c *Client) readLog(ctx context.Context, id string, l logRead) error {
	stdout, stderr := l.out.wanted()
	options := container.LogsOptions{ShowStdout: stdout, ShowStderr: stderr, Timestamps: true, Follow: l.follow, Tail: logTail}
	err := c.readMessages(ctx, id, l, options)
	if errors.Is(err, errTooLate) {
		options.Tail, options.Since = "all", string(stampOf(l.from))
		if !l.until.IsZero() {
			options.Until = string(stampOf(l.until))
		}
		err = c.readMessages(ctx, id, l, options)
	}
	return err
}

func (c *Client) readMessages(ctx context.Context, id string, l logRead, options container.LogsOptions) error {
	body, err := c.api.ContainerLogs(ctx, id, options)
	switch {
	case cerrdefs.IsNotImplemented(err):
		return classified{fmt.Errorf("read the container's log: %w", err), ErrUnreadable}
	case err != nil:
		return fmt.Errorf("read the container's log: %w", translate(err))
	}
	defer body.Close()
	l.begin()
	first := options.Since == ""
	f := &frames{write: l.write, lines: l.out.TTY, whole: func(stream int, p []byte) (int, error) {
		size := stampSize(p)
		if size == 0 {
			return 0, nil // the rest of a message that is larger than the buffer
		}
		stamp := p[:size-1]
		if first && timeOf(stamp).After(l.from) {
			return 0, errTooLate
		}
		first = false
		return size + l.message(stream, stamp, p[size:]), nil
	}}
	if err := f.copy(body); err != nil {
		return fmt.Errorf("read the container's log: %w", err)
	}
	return nil
}
