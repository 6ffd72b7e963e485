package systemd

import (
	"sync"
	"time"
)

// statusInterval is how often systemd gets a STATUS= at most: each is a signal
// to everyone on the bus who listens.
const statusInterval = time.Second

// Paced is a [Notifier] that may be told a status as often as it changes. The
// last one always gets through, and none that something else has overtaken.
type Paced struct {
	Notifier

	mu sync.Mutex
	// sentAt is when systemd got a status last, waiting the one that it is to
	// get next, and timer when; nil where none waits.
	sentAt  time.Time
	waiting string
	timer   *time.Timer
}

// Status is [Notifier.Status], now or soon.
func (p *Paced) Status(status string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = status
	if p.timer != nil {
		return
	}
	if wait := statusInterval - time.Since(p.sentAt); wait > 0 {
		p.timer = time.AfterFunc(wait, p.due)
		return
	}
	p.sentAt = time.Now()
	p.Notifier.Status(status)
}

func (p *Paced) due() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer == nil {
		return // overtaken
	}
	p.timer, p.sentAt = nil, time.Now()
	p.Notifier.Status(p.waiting)
}

// Ready is [Notifier.Ready].
func (p *Paced) Ready(status string) { p.overtake(func() { p.Notifier.Ready(status) }) }

// HandOver is [Notifier.HandOver].
func (p *Paced) HandOver(pid int, status string) {
	p.overtake(func() { p.Notifier.HandOver(pid, status) })
}

// Reloading is [Notifier.Reloading].
func (p *Paced) Reloading(status string) { p.overtake(func() { p.Notifier.Reloading(status) }) }

// Stopping is [Notifier.Stopping].
func (p *Paced) Stopping(status string) { p.overtake(func() { p.Notifier.Stopping(status) }) }

// overtake sends something with a status of its own, at once.
func (p *Paced) overtake(send func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil {
		p.timer.Stop()
		p.timer = nil
	}
	p.sentAt = time.Now()
	send()
}

// Flush sends the status that waits, if any: the process is about to end.
func (p *Paced) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil && p.timer.Stop() {
		p.timer = nil
		p.Notifier.Status(p.waiting)
	}
}
