package engine

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"
)

// finder finds, in a stream's log, the message up to which the stream was
// relayed by attaching, which tells no timestamps. What Docker had read of a
// container's output went to its log and to who was attached, each at its own
// pace, so that either may have got further when Docker ended.
//
// A message may be the last that was relayed when it, and the messages before
// it, are the lines that were relayed last, as far back as both are known, and
// when it was not logged after that line came. There may be several where a
// program repeats itself: then it is the one that was logged at the time
// nearest to when the line came. When there is none, the log has not got so
// far, and the same is asked of the line before; and when no line is found, as
// in a log that does not keep what was written, it is the last message that
// was logged before the last line came.
//
// So some lines may be lost or doubled where a program writes the same line
// many times a moment, or lines longer than a log's messages, 16 KiB.
type finder struct {
	tail  *tail
	seed  maphash.Seed
	lines []line
	// begun is what was relayed after the last line.
	begun []byte

	// at counts the messages so far.
	at   mark
	seen int
	// runs says for each line how many messages, up to the last one, are the
	// lines up to it.
	runs []int
	// ends are the best places at which each of the lines may have ended,
	// inside is amid a message, earlier is by time.
	ends            []place
	inside, earlier place
}

// place is where a stream may go on.
type place struct {
	mark
	known bool
	off   time.Duration
}

// skew is how much later than it is relayed a line may be logged.
const skew = time.Second

func newFinder(t *tail) *finder {
	f := &finder{tail: t, seed: maphash.MakeSeed()}
	f.lines, f.begun = t.lines(f.seed)
	f.runs, f.ends = make([]int, len(f.lines)), make([]place, len(f.lines))
	return f
}

// message takes one message of the log, in their order.
func (f *finder) message(stamp, text []byte) {
	before := f.at.copy(nil)
	f.at.count(stamp)
	f.seen++
	late := f.at.time().Sub(f.tail.at)
	if late <= 0 {
		f.earlier = place{mark: f.at.copy(f.begun), known: true}
	}
	if i := bytes.Index(text, f.begun); i >= 0 && len(f.lines) == 0 && len(f.begun) > 0 && late <= skew {
		// All that is known is from within a line.
		before.head = bytes.Clone(text[:i+len(f.begun)])
		f.inside.nearer(before, late.Abs())
	}
	content, ended := bytes.CutSuffix(text, []byte("\n"))
	content = asLogged(content)
	hash := maphash.Bytes(f.seed, content)
	for j := len(f.lines) - 1; j >= 0; j-- {
		if !ended || !f.lines[j].is(content, hash) {
			f.runs[j] = 0
			continue
		}
		f.runs[j] = 1
		if j > 0 {
			f.runs[j] += f.runs[j-1]
		}
		if f.runs[j] == min(j+1, f.seen) && late <= skew {
			f.ends[j].nearer(f.at.copy(f.begun), late.Abs())
		}
	}
}

// result is the mark from which on the stream's log was not relayed. from is
// where the messages began.
func (f *finder) result(from time.Time) mark {
	start := mark{stamp: stampOf(from), head: f.begun}
	if len(f.lines) == 0 && !f.tail.cut {
		return start // no line was relayed, so none that was logged
	}
	for _, p := range slices.Backward(f.ends) {
		if p.known {
			return p.mark
		}
	}
	switch {
	case f.inside.known && len(f.inside.stamp) == 0:
		start.head = f.inside.head // in the first message there is
	case f.inside.known:
		return f.inside.mark
	case f.earlier.known:
		return f.earlier.mark
	}
	return start
}

// nearer makes p the better one of the two places.
func (p *place) nearer(m mark, off time.Duration) {
	if !p.known || off <= p.off {
		*p = place{mark: m, known: true, off: off}
	}
}

// is says whether a message is the line.
func (l line) is(content []byte, hash uint64) bool {
	if l.end != nil {
		return bytes.HasSuffix(content, l.end)
	}
	return l.hash == hash
}
