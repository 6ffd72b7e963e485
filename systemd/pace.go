package systemd

import (
	"sync"
	"time"
)

// statusInterval is the minimum time between two STATUS=. Each causes a signal to all
// listeners on the bus.
const statusInterval = time.Second

// Paced is a [Notifier] that limits the rate of status texts. It always sends the last
// text, and never sends a text that is older than another notification.
type Paced struct {
	Notifier

	mu sync.Mutex
	// sentAt is when the last status was sent. waiting is the next one, and timer sends
	// it; timer is nil if none is waiting.
	sentAt  time.Time
	waiting string
	timer   *time.Timer
}

// Status is [Notifier.Status], at once or after a moment.
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
		return // another notification was sent instead
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

// overtake sends at once a notification with a status of its own, instead of the
// waiting one.
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

// Flush sends the waiting status, if any. The process is about to end.
func (p *Paced) Flush() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.timer != nil && p.timer.Stop() {
		p.timer = nil
		p.Notifier.Status(p.waiting)
	}
}
