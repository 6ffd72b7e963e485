package agent

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/events"
	"github.com/dockhost/dockhost/agent/gate"
	"github.com/dockhost/dockhost/agent/metrics"
	"github.com/dockhost/dockhost/agent/outcome"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/agent/webhook"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
	"github.com/dockhost/dockhost/systemd"
)

const (
	// maxTag is the longest tag.
	maxTag = 128
	// outputLines is how many lines are kept of a failed container.
	outputLines = 10
)

// updateParts are what the machines of all containers share.
type updateParts struct {
	preparer *preparer
	deployer *deployer
	besides  *besides
	store    *store
	cures    *cures
	config   *configuration
	gates    gate.Gates
	webhook  *webhook.Sender
	events   *events.Store
	counter  *metrics.Counter
	// latest is [Options.Latest].
	latest func(ctx context.Context, ref string) (string, error)
	// report is called when the status line changes.
	report func()
	log    *zap.Logger
}

// updateHost is the host as the machine of one container sees it.
type updateHost struct {
	updateParts

	name    string
	changes chan struct{}

	mu       sync.Mutex
	declared *hashed
}

func newUpdateHost(name string, parts updateParts) *updateHost {
	return &updateHost{updateParts: parts, name: name, changes: make(chan struct{}, 1)}
}

// declare sets the successor of the container; nil for none.
func (h *updateHost) declare(next *hashed) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.declared = next
}

// look wakes the machine if it observes its container.
func (h *updateHost) look() {
	select {
	case h.changes <- struct{}{}:
	default:
	}
}

func (h *updateHost) successor() *hashed {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.declared
}

// InForce implements [update.Host]. What was declared is no successor any more once it is
// in force.
func (h *updateHost) InForce() (current, declared *spec.Container) {
	current = h.store.container(h.name)
	next := h.successor()
	if current == nil || next == nil || current.Unpinned().Hash() == next.hash {
		return current, nil
	}
	return current, next.Container
}

// Settings implements [update.Host].
func (h *updateHost) Settings(c *spec.Container) spec.Update { return h.config.update(c) }

// Place implements [update.Host].
func (h *updateHost) Place() float64 {
	sum := sha256.Sum256([]byte(h.store.snapshot().source.InstanceID + " " + h.preparer.machine()))
	return float64(binary.BigEndian.Uint64(sum[:])>>11) / (1 << 53)
}

// Image implements [update.Host].
func (h *updateHost) Image(ctx context.Context, c *spec.Container) (update.Image, error) {
	names := c.ImageNames()
	if state, err := h.dir().State(h.name); err == nil && state.ConfigHash == c.Hash() && state.ImageID != "" {
		names = []string{state.ImageID}
	}
	for _, name := range names {
		image, err := h.preparer.engine.ImageOf(ctx, name, c.Image)
		if err == nil {
			return updateImage(image, c), nil
		}
		if ctx.Err() != nil || errors.Is(err, engine.ErrUnreachable) || errors.Is(err, context.DeadlineExceeded) {
			return update.Image{}, err
		}
		h.log.Debug("image of the container not known", zap.String("container", h.name), zap.Error(err))
	}
	return update.Image{}, nil
}

// updateImage converts an image of a container.
func updateImage(image engine.Image, c *spec.Container) update.Image {
	i := update.Image{ID: image.ID, Digest: image.Digest, Digests: image.Digests, HealthTime: update.HealthTime(image.Health)}
	if len(image.Digests) > 0 {
		i.Ref = update.WithDigest(c.Image, image.Digests[0])
	}
	return i
}

// Latest implements [update.Host].
func (h *updateHost) Latest(ctx context.Context, c *spec.Container) (string, error) {
	return h.latest(ctx, c.Image)
}

// Prepare implements [update.Host].
func (h *updateHost) Prepare(ctx context.Context, next *spec.Container, step func(update.Step)) (update.Image, error) {
	old := h.store.container(h.name)
	image, err := h.preparer.prepare(ctx, old, next, step)
	if err != nil && ctx.Err() == nil {
		if startErr := h.deployer.ensureRunning(ctx, old); startErr != nil {
			h.log.Error("old container not started", zap.String("container", h.name), zap.Error(startErr))
		}
	}
	return updateImage(image, next), err
}

// Keep implements [update.Host].
func (h *updateHost) Keep(ctx context.Context, as, id string) error {
	return h.preparer.engine.Tag(ctx, id, keptImage(as, h.name))
}

// keptImage returns the tag that protects an image of a container.
func keptImage(as, name string) string {
	if len(name) > maxTag {
		sum := sha256.Sum256([]byte(name))
		name = name[:maxTag-len(sum)] + hex.EncodeToString(sum[:len(sum)/2])
	}
	return spec.KeptImages + as + ":" + name
}

// Gate implements [update.Host].
func (h *updateHost) Gate(ctx context.Context, settings spec.Update) string {
	state, err := h.dir().State(h.name)
	if err != nil || state.Phase == "ended" {
		state.ContainerID = "" // nothing runs
	}
	return h.gates.Closed(ctx, h.name, state.ContainerID, settings)
}

// Passed implements [update.Host].
func (h *updateHost) Passed(settings spec.Update, failed bool) {
	h.gates.Passed(h.name, settings, failed)
}

// Replace implements [update.Host].
func (h *updateHost) Replace(ctx context.Context, next *spec.Container) error {
	c := withHash(next)
	if declared := h.successor(); declared != nil && declared.hash == next.Unpinned().Hash() {
		c.again = declared.again
	}
	return h.deployer.replace(ctx, c)
}

// Ensure implements [update.Host].
func (h *updateHost) Ensure(ctx context.Context) error {
	return h.deployer.ensureRunning(ctx, h.store.container(h.name))
}

// Stopped implements [update.Host].
func (h *updateHost) Stopped() bool { return h.store.stop(h.name) != nil }

// Observe implements [update.Host]. A supervisor writes its state before it ends, so the
// state is read after the unit.
func (h *updateHost) Observe(ctx context.Context) (update.Observation, error) {
	unit, err := h.deployer.units.systemd.Unit(ctx, spec.UnitName(h.name))
	if err != nil {
		return update.Observation{}, err
	}
	state, err := h.dir().State(h.name)
	if err != nil {
		return update.Observation{Restarts: unit.Restarts}, nil //nolint:nilerr // its supervisor has not begun
	}
	o := observation(unit, state)
	if o.Ready && state.ImageID != "" {
		if current := h.store.container(h.name); current != nil {
			o.Image, _ = h.Image(ctx, current)
		}
	}
	return o, nil
}

// observation puts together what systemd and the supervisor say.
func observation(unit systemd.Unit, state rundir.State) update.Observation {
	o := update.Observation{
		Hash: state.ConfigHash, Ready: state.Ready && unit.ActiveState == "active", Since: state.Since,
		Finished: state.Finished(), Restarts: unit.Restarts, OOMKills: state.OOMKills, Health: state.Health,
		Ended: unit.ActiveState == "failed" || strings.HasPrefix(unit.SubState, "auto-restart"),
		Image: update.Image{ID: state.ImageID, Digest: state.Digest},
	}
	if last := state.LastError; last != nil && !state.Cached {
		o.Failure = update.Failure{At: last.At, Message: last.Message, Hash: last.ConfigHash}
	}
	return o
}

// Changes implements [update.Host].
func (h *updateHost) Changes() <-chan struct{} { return h.changes }

// Output implements [update.Host]. The lines come from the journal, since the container
// is gone.
func (h *updateHost) Output(ctx context.Context, since time.Time) []string {
	lines, err := systemd.Output(ctx, spec.UnitName(h.name), "", since, outputLines)
	if err != nil {
		h.log.Debug("output of the container not read", zap.Error(err))
	}
	return lines
}

// Cured implements [update.Host].
func (h *updateHost) Cured(err error) (<-chan struct{}, func()) { return h.cures.await(h.name, err) }

// Show implements [update.Host].
func (h *updateHost) Show(v update.View) {
	h.store.showPending(h.name, v.Pending)
	h.store.showChange()
	h.report()
}

// Tell implements [update.Host]. A first start is no update.
func (h *updateHost) Tell(entry api.HistoryEntry) {
	if entry.Cause == api.CauseStart {
		return
	}
	if entry.Outcome == api.OutcomeRolledBack {
		h.counter.RolledBack(h.name)
	}
	outcome.Log(h.log, entry)
	if e, isUpdate := updateEvent(entry); isUpdate {
		h.events.Announce(e)
	}
	h.webhook.Send(entry)
}

func (h *updateHost) dir() rundir.Dir { return h.deployer.units.dir }
