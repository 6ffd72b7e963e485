package events

import (
	"maps"
	"time"

	"github.com/dockhost/dockhost/agent/api"
)

const (
	// window is the time in which events that repeat are counted, burst how many of them
	// are kept. A container that fails over and over does not push out everything else.
	window = 10 * time.Minute
	burst  = 3
)

// repeats counts events that repeat, by what makes them the same.
type repeats map[repeat]*count

type repeat struct{ event, container, text string }

type count struct {
	// since is when the window began, kept how many events of it are kept.
	since time.Time
	kept  int
	// dropped is how many were dropped since the last that was kept.
	dropped int
}

// count reports whether an event repeats too often to be kept, and otherwise how many
// were not kept before it.
func (r repeats) count(e api.Event) (dropped int, suppressed bool) {
	key := repeat{e.Event, e.Container, e.Text}
	c := r[key]
	if c == nil {
		maps.DeleteFunc(r, func(_ repeat, c *count) bool { return e.At.Sub(c.since) > window })
		c = &count{since: e.At}
		r[key] = c
	}
	if e.At.Sub(c.since) > window {
		c.since, c.kept = e.At, 0
	}
	if c.kept >= burst {
		c.dropped++
		return 0, true
	}
	c.kept++
	dropped, c.dropped = c.dropped, 0
	return dropped, false
}
