package engine

import (
	"bytes"
	"time"
)

// stampLayout is how Docker writes the timestamps of a log: RFC 3339, all nine
// digits (jsonmessage.RFC3339NanoFixed).
const stampLayout = "2006-01-02T15:04:05.000000000Z07:00"

// stampSize is how long the timestamp at the beginning of a message is, with
// the space after it; 0 when there is none.
func stampSize(message []byte) int {
	const utc, zone = len("2006-01-02T15:04:05.000000000Z"), len(stampLayout)
	switch {
	case len(message) <= utc || message[10] != 'T' || message[19] != '.':
		return 0
	case message[utc-1] == 'Z' && message[utc] == ' ':
		return utc + 1
	case len(message) > zone && message[zone] == ' ':
		return zone + 1
	}
	return 0
}

// timeOf is the time of what stampSize has seen to be a timestamp; else zero.
func timeOf(stamp []byte) time.Time {
	at, _ := time.Parse(stampLayout, string(stamp))
	return at
}

func stampOf(at time.Time) []byte { return []byte(at.UTC().Format(stampLayout)) }

// mark is how far a stream was relayed, in terms of its log.
type mark struct {
	// stamp is the timestamp of the last message that was relayed, and n how
	// many messages of that timestamp were: the pieces of a long line have one,
	// and some drivers keep no more than microseconds. Nothing before the
	// timestamp is missing.
	stamp []byte
	n     int
	// head is what was relayed of the message after those.
	head []byte
}

func (m *mark) time() time.Time { return timeOf(m.stamp) }

// count takes note of one more message.
func (m *mark) count(stamp []byte) {
	if string(m.stamp) == string(stamp) {
		m.n++
		return
	}
	m.stamp, m.n = append(m.stamp[:0], stamp...), 1
}

// copy is the mark as it is now, with that head.
func (m *mark) copy(head []byte) mark {
	return mark{stamp: bytes.Clone(m.stamp), n: m.n, head: head}
}
