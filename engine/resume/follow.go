package resume

import (
	"bytes"
	"context"
	"time"
)

const (
	// locateTimeout bounds the search for the end of the connection in the log.
	locateTimeout = 2 * time.Minute
	// logMargin is the longest delay, within Docker, between logging output and
	// sending it to an attached client.
	logMargin = 5 * time.Second
)

// Follow continues a relay whose connection has ended, from the container's log:
// it writes what came after the last relayed byte until the container ends. It
// returns nil at the end of the log. After an error it may be called again and
// continues where it stopped.
//
// Output that Docker had read but not yet logged when it ended is lost.
func (r *Relay) Follow(ctx context.Context, open OpenLog) error {
	<-r.done
	stdout, stderr := r.out.Wanted()
	if !stdout && !stderr {
		return nil
	}
	if !r.located {
		if err := r.locate(ctx, open); err != nil {
			return err
		}
		r.located = true
	}
	from := r.streams[0].mark.time()
	if other := r.streams[1].mark.time(); !stdout || (stderr && other.Before(from)) {
		from = other
	}
	var rest [2]remainder
	return logReader{
		out: r.out, from: from, follow: true, write: r.write,
		begin: func() {
			for i := range rest {
				rest[i] = remainder{mark: r.streams[i].mark.copy(r.streams[i].mark.head)}
			}
		},
		message: func(stream int, stamp, text []byte) int {
			if rest[stream].skips(stamp) {
				return len(text)
			}
			position := &r.streams[stream].mark
			position.count(stamp)
			position.head = nil
			return rest[stream].cut(text)
		},
	}.read(ctx, open)
}

// locate sets each stream's mark: it finds in the container's log where the
// connection ended. A Docker that still runs may not have logged the last lines
// yet: unless they are there, the log is read once more after skew.
func (r *Relay) locate(ctx context.Context, open OpenLog) error {
	ctx, cancel := context.WithTimeout(ctx, locateTimeout)
	defer cancel()
	from, until := r.caughtUp.Add(-logMargin), r.disconnected.Add(skew)
	early := time.Now().Before(until)
	finders, err := r.search(ctx, open, from, until)
	if err == nil && early && (!finders[0].endFound() || !finders[1].endFound()) {
		select {
		case <-time.After(time.Until(until)):
		case <-ctx.Done():
		}
		finders, err = r.search(ctx, open, from, until)
	}
	if err != nil {
		return err
	}
	for i := range r.streams {
		r.streams[i].mark, r.streams[i].tail = finders[i].result(from), tail{}
	}
	return nil
}

// search reads the log between two times, and looks for the end of each stream.
func (r *Relay) search(ctx context.Context, open OpenLog, from, until time.Time) (finders [2]*finder, err error) {
	err = logReader{
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
	}.read(ctx, open)
	return finders, err
}

// remainder picks, from a stream's log, what comes after a mark.
type remainder struct {
	mark
	passed int
	found  bool
}

// skips says whether a message was relayed already. After the first one that was
// not, it skips none, whatever their timestamps: clocks are set back at times.
func (s *remainder) skips(stamp []byte) bool {
	if s.found {
		return false
	}
	switch order := timeOf(stamp).Compare(timeOf(s.stamp)); {
	case order < 0:
		return true
	case order == 0 && s.passed < s.n:
		s.passed++
		return true
	}
	s.found = true
	return false
}

// cut returns how many bytes of the first message were relayed already.
func (s *remainder) cut(text []byte) int {
	head := s.head
	s.head = nil
	if bytes.HasPrefix(text, head) {
		return len(head)
	}
	return 0
}
