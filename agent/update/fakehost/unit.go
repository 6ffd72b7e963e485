package fakehost

import (
	"context"
	"time"

	"github.com/dockhost/dockhost/agent/update"
)

// unit is the unit of the container.
type unit struct {
	// generation counts the starts: what was planned for an earlier one is void.
	generation int
	observed   update.Observation
	// stopped says that a person has stopped it.
	stopped bool
}

// Observe implements [update.Host].
func (h *Host) Observe(ctx context.Context) (update.Observation, error) {
	h.hook("Observe")
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unit.observed, ctx.Err()
}

// Stop stops the unit, as a person does.
func (h *Host) Stop() {
	h.set(func(o *update.Observation) {
		h.unit.stopped = true
		o.Ready = false
	})
}

// Start starts the unit that a person has stopped.
func (h *Host) Start() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unit.stopped = false
	h.run()
	h.changed()
}

// Stopped implements [update.Host].
func (h *Host) Stopped() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.unit.stopped
}

// Finish has the container end its work.
func (h *Host) Finish() { h.set(func(o *update.Observation) { o.Finished = true }) }

func (h *Host) set(change func(*update.Observation)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unit.generation++
	change(&h.unit.observed)
	h.changed()
}

// Reboot starts the unit of the container in force, as a boot does.
func (h *Host) Reboot() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.run()
}

// run starts the unit of the container in force. The caller holds mu, except in New.
func (h *Host) run() {
	h.unit.observed = update.Observation{}
	h.begin()
}

// begin starts the container.
func (h *Host) begin() {
	h.unit.generation++
	o := &h.unit.observed
	digest := h.digest(h.current)
	o.Hash, o.Image, o.Ended, o.Ready, o.OOMKills, o.Health = h.current.Hash(), h.image(h.current, digest), false, false, 0, ""
	b := h.world.Behave(h.current, digest)
	if b.Ready >= 0 {
		h.plan(b.Ready, func(o *update.Observation) { o.Ready, o.Since = true, time.Now() })
	}
	if b.Unhealthy > 0 {
		h.plan(b.Unhealthy, func(o *update.Observation) { o.Health = "unhealthy" })
	}
	if b.LosesChild > 0 {
		h.plan(b.LosesChild, func(o *update.Observation) { o.OOMKills++ })
	}
	if b.Fails > 0 {
		h.plan(b.Fails, func(o *update.Observation) { h.fail(o, b.Why) })
	}
}

// fail ends the container. systemd starts it again.
func (h *Host) fail(o *update.Observation, why string) {
	o.Ready, o.Ended = false, true
	o.Failure = update.Failure{At: time.Now(), Message: why, Hash: o.Hash}
	if why == "" {
		o.Failure.Hash = ""
	}
	h.plan(restartPause, func(o *update.Observation) {
		o.Restarts++
		h.begin()
	})
}

// plan changes the unit after a while, unless it was started again by then. The caller
// holds mu.
func (h *Host) plan(after time.Duration, change func(*update.Observation)) {
	generation := h.unit.generation
	time.AfterFunc(after, func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.unit.generation == generation {
			change(&h.unit.observed)
			h.changed()
		}
	})
}

func (h *Host) changed() {
	select {
	case h.changes <- struct{}{}:
	default:
	}
}
