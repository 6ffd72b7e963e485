package resume

import (
	"bytes"
	"hash/maphash"
	"slices"
	"time"
)

// finder finds, in a stream's log, the message at which the connection ended.
// The connection carries no timestamps. Docker writes what it reads of a
// container's output to the log and to attached clients independently, so either
// may be ahead when Docker ends.
//
// A message may be the last relayed one if it and the messages before it equal
// the last relayed lines, as far back as both are known, and if it was not logged
// after the last line arrived. A program that repeats itself has several such
// messages: the finder takes the one logged closest to the arrival of the line. If
// no message matches, the log ends earlier, and the finder tries the line before.
// If no line matches, as in a log that alters what was written, it takes the last
// message that was logged before the last line arrived.
//
// So a few lines may be lost or doubled if a program writes the same line many
// times in a moment, or lines longer than a log's messages, 16 KiB.
type finder struct {
	tail  *tail
	seed  maphash.Seed
	lines []line
	// partial is what was relayed after the last line break.
	partial []byte

	// position counts the messages so far.
	position mark
	seen     int
	// runs has, for each line, how many consecutive messages up to the last one
	// equal the lines up to it.
	runs []int
	// ends has, for each line, the best message that may be it.
	ends []candidate
	// inside is the best position within a message, byTime the best one by time
	// alone.
	inside, byTime candidate
}

// candidate is a position at which a stream may continue.
type candidate struct {
	mark
	known bool
	off   time.Duration
}

// skew is how long after its relay a line may be logged.
const skew = time.Second

func newFinder(t *tail) *finder {
	f := &finder{tail: t, seed: maphash.MakeSeed()}
	f.lines, f.partial = t.lines(f.seed)
	f.runs, f.ends = make([]int, len(f.lines)), make([]candidate, len(f.lines))
	return f
}

// message takes the next message of the log.
func (f *finder) message(stamp, text []byte) {
	before := f.position.copy(nil)
	f.position.count(stamp)
	f.seen++
	late := f.position.time().Sub(f.tail.at)
	if late <= 0 {
		f.byTime = candidate{mark: f.position.copy(f.partial), known: true}
	}
	if i := bytes.Index(text, f.partial); i >= 0 && len(f.lines) == 0 && len(f.partial) > 0 && late <= skew {
		// Only text from within a line is known.
		before.head = bytes.Clone(text[:i+len(f.partial)])
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
			f.ends[j].nearer(f.position.copy(f.partial), late.Abs())
		}
	}
}

// endFound says whether the log has the last line that was relayed, or the text after it.
func (f *finder) endFound() bool {
	if n := len(f.ends); n > 0 {
		return f.ends[n-1].known
	}
	return f.inside.known || len(f.partial) == 0 && !f.tail.cut
}

// result returns the mark after which the stream's log was not relayed. from is
// the time of the first message.
func (f *finder) result(from time.Time) mark {
	start := mark{stamp: stampOf(from), head: f.partial}
	if len(f.lines) == 0 && !f.tail.cut {
		return start // no line was relayed, so nothing of the log was
	}
	for _, p := range slices.Backward(f.ends) {
		if p.known {
			return p.mark
		}
	}
	switch {
	case f.inside.known && len(f.inside.stamp) == 0:
		start.head = f.inside.head // within the first message
	case f.inside.known:
		return f.inside.mark
	case f.byTime.known:
		return f.byTime.mark
	}
	return start
}

// nearer replaces p by a position that is closer in time.
func (p *candidate) nearer(m mark, off time.Duration) {
	if !p.known || off <= p.off {
		*p = candidate{mark: m, known: true, off: off}
	}
}

// is says whether a message equals the line.
func (l line) is(content []byte, hash uint64) bool {
	if l.end != nil {
		return bytes.HasSuffix(content, l.end)
	}
	return l.hash == hash
}
