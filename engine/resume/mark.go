package resume

import (
	"bytes"
	"time"
)

// stampLayout is the layout of the timestamps in Docker's logs: RFC 3339 with all
// nine digits (jsonmessage.RFC3339NanoFixed).
const stampLayout = "2006-01-02T15:04:05.000000000Z07:00"

// stampSize returns the length of the timestamp at the beginning of a message,
// with the space after it, or 0 without a timestamp.
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

// timeOf parses a timestamp that stampSize recognized. Anything else is the zero
// time.
func timeOf(stamp []byte) time.Time {
	at, _ := time.Parse(stampLayout, string(stamp))
	return at
}

func stampOf(at time.Time) []byte { return []byte(at.UTC().Format(stampLayout)) }

// mark is a position in a stream's log: everything before it was relayed.
type mark struct {
	// stamp is the timestamp of the last relayed message, and n the number of
	// relayed messages with this timestamp: the pieces of a long line share one, and
	// some logging drivers keep only microseconds.
	stamp []byte
	n     int
	// head is the relayed beginning of the next message.
	head []byte
}

func (m *mark) time() time.Time { return timeOf(m.stamp) }

// count adds one message.
func (m *mark) count(stamp []byte) {
	if string(m.stamp) == string(stamp) {
		m.n++
		return
	}
	m.stamp, m.n = append(m.stamp[:0], stamp...), 1
}

// copy returns a copy of the mark with this head.
func (m *mark) copy(head []byte) mark {
	return mark{stamp: bytes.Clone(m.stamp), n: m.n, head: head}
}
