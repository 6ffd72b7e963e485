// Package fakehost is, for tests, a host of one container: its images start, fail and are
// restarted by the clock as they are told to. It implements [update.Host] in memory.
package fakehost

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/update"
	"github.com/dockhost/dockhost/spec"
)

// restartPause is how long systemd waits before it restarts a unit that failed.
const restartPause = 10 * time.Second

// Behavior is what a container does once it is started.
type Behavior struct {
	// Ready is after which time it is ready; negative for never.
	Ready time.Duration
	// Fails is after which time it fails, 0 for never. Why is the message, "" for a
	// failure that is not its own, such as a restart of Docker.
	Fails time.Duration
	Why   string
	// Unhealthy is after which time Docker calls it unhealthy, 0 for never.
	Unhealthy time.Duration
	// LosesChild is after which time the kernel kills one of its processes, but not the
	// first, because memory is used up; 0 for never.
	LosesChild time.Duration
}

// World is everything outside of the host.
type World interface {
	// Latest is the digest that the registry has for a reference.
	Latest(ref string) (digest string, err error)
	// Pull is called for each image that the host does not have yet.
	Pull(digest string) error
	// Gate and Passed are those of [update.Host].
	Gate() (why string)
	Passed(failed bool)
	// Behave is what a container with an image does.
	Behave(c *spec.Container, digest string) Behavior
	// Replaced is called when a container was put in force, Told for each outcome.
	Replaced(c *spec.Container, digest string)
	Told(entry api.HistoryEntry)
}

// Host is the host. The record of an agent that is killed survives in its files, and a
// Host survives it, too: a new machine finds what the old one left.
type Host struct {
	// Hook is called before each call, with the name of the method, and after those that
	// change something, with "after " before the name. A test ends the machine there.
	Hook atomic.Pointer[func(call string)]

	world World
	place float64

	mu                sync.Mutex
	settings          spec.Update
	current, declared *spec.Container
	// images are the digests of the images on the host, tags those behind their tags.
	images map[string]bool
	tags   map[string]string
	// known is the image that was asked for last.
	known update.Image
	unit  unit
	// unknown is the error of the next call of Image, nil for none.
	unknown error
	// kept are the images that are protected, by what they are kept as.
	kept map[string]string
	// replacing is the error of the next replacements, nil for none.
	replacing error
	// beside is the error of a container that should run beside another, nil for none.
	beside  error
	view    update.View
	changes chan struct{}
}

// New returns a host that runs a container from an image. place is its place in its fleet.
func New(c *spec.Container, digest string, settings spec.Update, place float64, world World) *Host {
	h := &Host{
		world: world, place: place, settings: settings, current: c, changes: make(chan struct{}, 1),
		kept: map[string]string{}, images: map[string]bool{digest: true}, tags: map[string]string{c.Image: digest},
	}
	h.run()
	return h
}

// Declare declares a successor of the container, or none.
func (h *Host) Declare(c *spec.Container) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.declared = c
}

// Set changes the settings.
func (h *Host) Set(settings spec.Update) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.settings = settings
}

// FailReplace has replacements fail with an error; nil ends that.
func (h *Host) FailReplace(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replacing = err
}

// FailImage has the next call of Image fail with an error.
func (h *Host) FailImage(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unknown = err
}

// Kept returns the ID of the image that is protected as "previous" or "current", "" for
// none.
func (h *Host) Kept(as string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.kept[as]
}

// FailBeside has no container run beside another, for an error; nil ends that.
func (h *Host) FailBeside(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.beside = err
}

// Running returns the container in force and the digest of its image.
func (h *Host) Running() (c *spec.Container, digest string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.current, h.digest(h.current)
}

// View returns what the machine showed last.
func (h *Host) View() update.View {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.view
}

// InForce implements [update.Host].
func (h *Host) InForce() (current, declared *spec.Container) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.declared != nil && h.current.Unpinned().Hash() == h.declared.Hash() {
		return h.current, nil
	}
	return h.current, h.declared
}

// Settings implements [update.Host].
func (h *Host) Settings(*spec.Container) spec.Update {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.settings
}

// Place implements [update.Host].
func (h *Host) Place() float64 { return h.place }

// Image implements [update.Host].
func (h *Host) Image(ctx context.Context, c *spec.Container) (update.Image, error) {
	h.hook("Image")
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.unknown
	h.unknown = nil
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return update.Image{}, err
	}
	return h.image(c, h.digest(c)), nil
}

// image returns an image by its digest. The caller holds mu, except in New.
func (h *Host) image(c *spec.Container, digest string) update.Image {
	if h.known.Digest != digest {
		h.known = update.Image{ID: "id-" + digest, Digest: digest, Ref: update.WithDigest(c.Image, digest), Digests: []string{digest}}
	}
	return h.known
}

// digest returns the digest of the image of a container, "" if it is not on the host.
func (h *Host) digest(c *spec.Container) string {
	if c.Pin == nil {
		return h.tags[c.Image]
	}
	_, digest, _ := strings.Cut(c.Pin.Ref, "@")
	if digest == "" {
		digest = strings.TrimPrefix(c.Pin.ID, "id-")
	}
	return digest
}

// Latest implements [update.Host].
func (h *Host) Latest(ctx context.Context, c *spec.Container) (string, error) {
	h.hook("Latest")
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return h.world.Latest(c.Image)
}

// Prepare implements [update.Host].
func (h *Host) Prepare(ctx context.Context, next *spec.Container, step func(update.Step)) (update.Image, error) {
	h.hook("Prepare")
	step(update.Step{Phase: update.PhaseChecking, Doing: "waiting for Docker"})
	h.mu.Lock()
	digest := h.digest(next)
	has := digest != "" && h.images[digest]
	h.mu.Unlock()
	if ctx.Err() != nil {
		return update.Image{}, ctx.Err()
	}
	if !has {
		step(update.Step{Phase: update.PhasePulling, Doing: "pulling " + next.PullRef()})
		if err := h.pull(next, digest); err != nil {
			return update.Image{}, err
		}
	}
	h.hook("after Prepare")
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.image(next, h.digest(next)), nil
}

func (h *Host) pull(next *spec.Container, digest string) error {
	tag := digest == ""
	if tag {
		var err error
		if digest, err = h.world.Latest(next.Image); err != nil {
			return err
		}
	}
	if err := h.world.Pull(digest); err != nil {
		return err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.images[digest] = true
	if tag {
		h.tags[next.Image] = digest
	}
	return nil
}

// Keep implements [update.Host].
func (h *Host) Keep(ctx context.Context, as, id string) error {
	h.hook("Keep")
	if ctx.Err() != nil {
		return ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.kept[as] = id
	return nil
}

// Gate implements [update.Host].
func (h *Host) Gate(ctx context.Context, _ spec.Update) string {
	h.hook("Gate")
	if ctx.Err() != nil {
		return ctx.Err().Error()
	}
	return h.world.Gate()
}

// Passed implements [update.Host].
func (h *Host) Passed(_ spec.Update, failed bool) {
	h.hook("Passed")
	h.world.Passed(failed)
}

// Replace implements [update.Host].
func (h *Host) Replace(ctx context.Context, next *spec.Container) error {
	h.hook("Replace")
	h.mu.Lock()
	err := h.replacing
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	digest := h.digest(next)
	if err == nil && !h.images[digest] {
		err = errors.New("the host does not have the image " + digest)
	}
	if err != nil {
		h.mu.Unlock()
		return err
	}
	if h.current.Unpinned().Hash() != next.Unpinned().Hash() {
		h.unit.stopped = false // what is declared now was not stopped
	}
	h.current = next
	if !h.unit.stopped {
		h.run()
	}
	h.mu.Unlock()
	h.world.Replaced(next, digest)
	h.hook("after Replace")
	return nil
}

// Ensure implements [update.Host].
func (h *Host) Ensure(ctx context.Context) error {
	h.hook("Ensure")
	return ctx.Err()
}

// Beside implements [update.Host].
func (h *Host) Beside(ctx context.Context, next *spec.Container) error {
	h.hook("Beside")
	h.mu.Lock()
	b, err := h.world.Behave(next, h.digest(next)), h.beside
	h.mu.Unlock()
	if err != nil {
		return err
	}
	ready := b.Ready
	if b.Ready < 0 || b.Fails > 0 && b.Fails < b.Ready {
		ready = b.Fails
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(ready):
	}
	if ready != b.Ready {
		return &update.NotWellError{Why: b.Why}
	}
	return nil
}

// EndBeside implements [update.Host].
func (h *Host) EndBeside(context.Context) { h.hook("EndBeside") }

// Changes implements [update.Host].
func (h *Host) Changes() <-chan struct{} { return h.changes }

// Output implements [update.Host].
func (h *Host) Output(context.Context, time.Time) []string {
	h.hook("Output")
	return []string{"the last line"}
}

// Cured implements [update.Host].
func (h *Host) Cured(error) (cured <-chan struct{}, done func()) { return nil, func() {} }

// Show implements [update.Host].
func (h *Host) Show(v update.View) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.view = v
}

// Tell implements [update.Host].
func (h *Host) Tell(entry api.HistoryEntry) {
	h.hook("Tell")
	h.world.Told(entry)
}

func (h *Host) hook(call string) {
	if hook := h.Hook.Load(); hook != nil {
		(*hook)(call)
	}
}
