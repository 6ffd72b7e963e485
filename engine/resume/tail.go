package resume

import (
	"bytes"
	"hash/maphash"
	"time"
	"unicode/utf8"
)

// tailSize is how many bytes of the end of a stream are kept: 64 lines or more
// of most programs.
const tailSize = 8 << 10

// tail is the end of what was relayed of a stream. It keeps raw bytes and copies
// at most the last tailSize of a write: to hash all lines, or even to find
// them, would cost more than the relay itself.
type tail struct {
	last []byte
	// cut says that more was relayed before last.
	cut bool
	// at is when the end of last arrived.
	at time.Time
}

// add keeps the end of p, which arrived at that time.
func (t *tail) add(p []byte, at time.Time) {
	t.at = at
	if t.last == nil {
		t.last = make([]byte, 0, 2*tailSize) // twice the size, so that bytes are moved rarely
	}
	if len(p) >= tailSize {
		t.cut = t.cut || len(p) > tailSize || len(t.last) > 0
		t.last = append(t.last[:0], p[len(p)-tailSize:]...)
		return
	}
	if len(t.last)+len(p) > cap(t.last) {
		t.cut = true
		t.last = append(t.last[:0], t.last[len(t.last)-tailSize:]...)
	}
	t.last = append(t.last, p...)
}

// line is a line that was relayed.
type line struct {
	hash uint64
	// end is the end of a line whose beginning is unknown, otherwise nil.
	end []byte
}

// lines returns the lines, oldest first, and the beginning of the next one.
func (t *tail) lines(seed maphash.Seed) ([]line, []byte) {
	text := t.last
	if t.cut {
		for len(text) > 0 && !utf8.RuneStart(text[0]) {
			text = text[1:]
		}
	}
	var lines []line
	for cut := t.cut; ; cut = false {
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return lines, text
		}
		normal := asLogged(text[:end])
		l := line{hash: maphash.Bytes(seed, normal)}
		if cut {
			l.end = normal
		}
		lines = append(lines, l)
		text = text[end+1:]
	}
}

// asLogged returns a text as the logging driver json-file stores it, with U+FFFD
// for each invalid byte.
func asLogged(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return []byte(string([]rune(string(text))))
}
