package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/docker/go-units"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/spec"
)

// rollout replaces a container by its successor once all that the successor
// needs is there. Until then, and if that never comes, the old one is in
// force: it goes on, or is started when it does not run. Errors are taken to
// pass: the image may be pushed later, the port given up. It returns when the
// successor is in force or ctx ends.
func (a *Agent) rollout(ctx context.Context, next *spec.Container) {
	log := a.Log.With(zap.String("container", next.Name), zap.String("image", next.Image))
	tries := backoff.Backoff{Next: time.Second, Cap: 5 * time.Minute}
	told := ""
	for {
		old := a.inForce(next.Name)
		err := a.prepare(ctx, old, next)
		if err == nil {
			err = a.replace(ctx, next)
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		if err.Error() != told {
			told = err.Error()
			log.Error("container not replaced, the old one stays", zap.Error(err))
		}
		a.setPending(next, "trying again", err)
		if err := a.putOldInForce(ctx, old); err != nil {
			log.Error("old container not started", zap.Error(err))
		}
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

// prepare makes sure, without disturbing what runs, that the successor can
// run: Docker answers, the runtime is registered, its ports are free, its GPUs
// and its image are there, and it can become ready.
func (a *Agent) prepare(ctx context.Context, old, next *spec.Container) error {
	a.setPending(next, "waiting for Docker", nil)
	tries := backoff.Backoff{Next: 200 * time.Millisecond, Cap: 5 * time.Second}
	for a.Engine.Ping(ctx) != nil {
		if err := tries.Wait(ctx); err != nil {
			return err
		}
	}
	runtimes, err := a.Engine.Runtimes(ctx)
	if err != nil {
		return err
	}
	if _, registered := runtimes[a.RuntimeName]; !registered {
		return fmt.Errorf("runtime %q is not registered with Docker (run: dockhost setup)", a.RuntimeName)
	}
	if err := portsFree(ctx, old, next); err != nil {
		return err
	}
	if next.GPU != nil && a.GPUs != nil {
		if err := a.GPUs(ctx, next); err != nil {
			return err
		}
	}
	image, err := a.fetch(ctx, old, next)
	if err != nil {
		return err
	}
	return next.CheckReadiness(image.Healthcheck)
}

// portsFree tries the ports that the successor publishes and the old
// container does not.
func portsFree(ctx context.Context, old, next *spec.Container) error {
	held := engine.HostPorts(old.HostConfig.PortBindings)
	var errs []error
	for _, port := range engine.HostPorts(next.HostConfig.PortBindings) {
		taken := slices.ContainsFunc(held, func(h engine.Port) bool { return h.Proto == port.Proto && h.Number == port.Number })
		if !taken && port.InUse(ctx) {
			errs = append(errs, fmt.Errorf("port %s is already in use on this host (see: ss -lnp 'sport = :%d')", port, port.Number))
		}
	}
	return errors.Join(errs...)
}

// fetch has the image of a container on the host, as its pull policy says.
// A pull takes as long as it takes: at a boot, the old container is started
// before it.
func (a *Agent) fetch(ctx context.Context, old, c *spec.Container) (engine.Image, error) {
	image, err := a.Engine.Image(ctx, c.Image)
	if err == nil && c.PullPolicy != spec.PullAlways {
		return image, nil
	}
	if err != nil && !errors.Is(err, engine.ErrNotFound) {
		return engine.Image{}, err
	}
	if c.PullPolicy == spec.PullNever {
		return engine.Image{}, fmt.Errorf("the host has no image %q and pull_policy is never (load it with: docker load)", c.Image)
	}
	if err := a.putOldInForce(ctx, old); err != nil {
		return engine.Image{}, err
	}
	a.setPending(c, "pulling "+c.Image, nil)
	return a.pull(ctx, c)
}

func pulling(image string, p engine.Progress) string {
	return fmt.Sprintf("pulling %s: %d of %d layers, %s of %s", image, p.LayersDone, p.Layers,
		units.HumanSize(float64(p.BytesDone)), units.HumanSize(float64(p.Bytes)))
}

// replace puts the successor in force.
func (a *Agent) replace(ctx context.Context, next *spec.Container) error {
	a.force.Lock()
	defer a.force.Unlock()
	force := a.replaced(next)
	if err := a.store.save(force); err != nil {
		return err
	}
	if err := a.apply(ctx, next); err != nil {
		return err
	}
	a.settle(force, next.Name)
	if err := a.sweepMounts(ctx, force); err != nil {
		a.Log.Warn("old mounts not removed", zap.Error(err))
	}
	return nil
}

// putOldInForce starts what is in force where it does not run.
func (a *Agent) putOldInForce(ctx context.Context, old *spec.Container) error {
	a.force.Lock()
	defer a.force.Unlock()
	return a.apply(ctx, old)
}

// replaced returns what is in force with one container replaced.
func (a *Agent) replaced(next *spec.Container) *accepted {
	a.mu.Lock()
	defer a.mu.Unlock()
	force := *a.kept
	force.Assignment.Containers = slices.Clone(force.Assignment.Containers)
	for i := range force.Assignment.Containers {
		if force.Assignment.Containers[i].Name == next.Name {
			force.Assignment.Containers[i] = *next
		}
	}
	return &force
}

func (a *Agent) inForce(name string) *spec.Container {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.kept.container(name)
}

func (a *Agent) setPending(c *spec.Container, doing string, err error) {
	a.mu.Lock()
	p, found := a.pending[c.Name]
	if !found {
		p = &api.Pending{}
		a.pending[c.Name] = p
	}
	p.Image, p.Doing = c.Image, doing
	if err != nil {
		p.Error = err.Error()
	}
	a.tellMoved()
	a.mu.Unlock()
	if err != nil {
		a.Notify.Status(a.statusLine())
	}
}

// settle makes known that a successor is in force.
func (a *Agent) settle(force *accepted, name string) {
	a.mu.Lock()
	a.kept = force
	delete(a.pending, name)
	a.tellMoved()
	a.mu.Unlock()
	a.Notify.Status(a.statusLine())
}
