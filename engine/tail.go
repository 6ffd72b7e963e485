package engine

import (
	"bytes"
	"hash/maphash"
	"time"
	"unicode/utf8"
)

// tailSize is how much of the end of a stream is kept: 64 lines and more, as
// most programs write them.
const tailSize = 8 << 10

// tail is the end of what was relayed of a stream. It keeps bytes, of which
// none but the last tailSize of a write are ever touched: hashing all lines, or
// even finding them, would cost more than the relay itself.
type tail struct {
	last []byte
	// cut says that there was more before it.
	cut bool
	// at is when the last of it came.
	at time.Time
}

// add keeps the end of p, which came at that time.
func (t *tail) add(p []byte, at time.Time) {
	t.at = at
	if t.last == nil {
		t.last = make([]byte, 0, 2*tailSize) // twice, so that the bytes are moved seldom
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
	// end is, of a line whose beginning is not known, its end; else nil.
	end []byte
}

// lines returns the lines, oldest first, and what was begun of the next one.
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

// asLogged is a text as the driver json-file keeps it, which has a character
// for each byte that is none.
func asLogged(text []byte) []byte {
	if utf8.Valid(text) {
		return text
	}
	return []byte(string([]rune(string(text))))
}
