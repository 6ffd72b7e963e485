package agent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/docker/go-units"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/agent/housekeeping"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
	"github.com/dockhost/dockhost/spec"
)

// dockerUnit is Docker's unit, where it is run by systemd under its own name.
const dockerUnit = "docker.service"

// claimTimeout bounds the wait for a removal of an image that is going on.
const claimTimeout = 30 * time.Second

// ampleRoom is more than what usual images take, unpacked.
const ampleRoom = 64 << 30

// errNotRead refuses to remove anything before it is known what is assigned.
var errNotRead = errors.New("the agent does not know yet what is assigned to this host (see: dockhostctl status)")

// newKeeper returns what keeps the disk from filling, nil without a store.
func (a *Agent) newKeeper() *housekeeping.Keeper {
	if a.Store == nil {
		return nil
	}
	return housekeeping.New(housekeeping.Options{
		Root: a.Root, Dir: a.Dir, Docker: a.Store, Policy: a.housekeepingPolicy, Assigned: a.assignedImages, Wanted: a.mayAskDocker,
		Changed: func() { a.Notify.Status(a.statusLine()) }, Log: a.Log,
	})
}

// keepHouse keeps the disk from filling until ctx ends.
func (a *Agent) keepHouse(ctx context.Context) {
	if a.keeper == nil {
		return
	}
	states := a.watch(ctx, a.Dir.StateDir())
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-states:
				a.keeper.Look()
			}
		}
	}()
	a.keeper.Run(ctx)
}

// housekeepingPolicy is what dockhost.yaml says, and then the user data. Where
// the file cannot be read, it may say that nothing is to be removed.
func (a *Agent) housekeepingPolicy() housekeeping.Policy {
	a.mu.Lock()
	defer a.mu.Unlock()
	policy := housekeeping.DefaultPolicy()
	if a.config == nil {
		policy.Off = true
		return policy
	}
	policy = policy.With(a.config.Housekeeping)
	if a.kept != nil {
		policy = policy.With(a.kept.UserData.Housekeeping)
	}
	return policy
}

// assignedImages are the images of all that is in force, asked for, or about to
// replace something.
func (a *Agent) assignedImages() housekeeping.Assigned {
	a.mu.Lock()
	defer a.mu.Unlock()
	var assigned housekeeping.Assigned
	for d := range a.kept.declarations {
		assigned.Images = append(assigned.Images, d.container.Image)
	}
	for _, p := range a.pending {
		assigned.Images = append(assigned.Images, p.Image)
	}
	if a.kept != nil {
		for _, c := range a.kept.Assignment.Containers {
			assigned.Images = append(assigned.Images, c.Image)
			assigned.Names = append(assigned.Names, c.Name)
		}
	}
	return assigned
}

// mayAskDocker says whether Docker may be asked by itself: not before it is known
// what is assigned, and not while an operator has stopped it, for its socket
// would start it again.
func (a *Agent) mayAskDocker(ctx context.Context) bool {
	if !a.knowsAssignment() {
		return false
	}
	unit, err := a.Units.Unit(ctx, dockerUnit)
	return err != nil || unit.ActiveState != "inactive" && unit.ActiveState != "failed" || unit.LoadState == "not-found"
}

// knowsAssignment says whether it is known what is assigned: a new instance whose
// metadata service did not answer yet may be assigned anything.
func (a *Agent) knowsAssignment() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.read && (a.kept != nil || a.awaited == "")
}

// pull pulls an image, and has housekeeping make room for it: before, where its
// registry says how large it is, while it arrives, as far as its size is known by
// then, and once more when it did not fit.
func (a *Agent) pull(ctx context.Context, c *spec.Container) (engine.Image, error) {
	claim, err := a.claim(ctx, c.Image)
	if err != nil {
		a.Log.Warn("image not claimed", zap.Error(err))
	}
	defer claim.Release()
	if err := a.admit(ctx, c, claim); err != nil {
		return engine.Image{}, err
	}
	need, err := a.pullOnce(ctx, c, claim)
	if err != nil && need > 0 && ctx.Err() == nil && a.keeper != nil && a.keeper.Full(ctx, need) {
		freed, roomErr := a.keeper.MakeRoom(ctx, need)
		if freed > 0 {
			_, err = a.pullOnce(ctx, c, claim)
		}
		if err != nil && roomErr != nil {
			err = errors.Join(err, roomErr)
		}
	}
	if err != nil {
		return engine.Image{}, err
	}
	image, err := a.Engine.Image(ctx, c.Image)
	if err == nil {
		claim.Pulled(image.ID)
	}
	return image, err
}

// admit has room made for an image, by what its registry says of it, and refuses
// one that cannot fit. Where there is ample room the registry is not asked, and
// where it does not answer the pull may be tried.
func (a *Agent) admit(ctx context.Context, c *spec.Container, claim *rundir.Claim) error {
	if a.keeper == nil || a.PullSize == nil || a.keeper.Free(ctx) > ampleRoom {
		return nil
	}
	a.setPending(c, "asking how large "+c.Image+" is", nil)
	size, err := a.PullSize(ctx, c.Image, c.Platform)
	if err != nil {
		a.Log.Debug("size of image not known before its pull", zap.String("image", c.Image), zap.Error(err))
		return ctx.Err()
	}
	p := engine.Progress{Bytes: size}
	if claim.Need(p.Need()); !a.keeper.Full(ctx, p.Need()) {
		return nil
	}
	_, err = a.keeper.MakeRoom(ctx, p.Need())
	if a.keeper.Free(ctx) >= size {
		return nil
	}
	if err == nil {
		err = ctx.Err()
	}
	return fmt.Errorf("image %q was not pulled: %s are to be downloaded, and do not fit: %w", c.Image, units.HumanSize(float64(size)), err)
}

// claim says to housekeeping, and to others, that an image is being pulled.
func (a *Agent) claim(ctx context.Context, ref string) (*rundir.Claim, error) {
	ctx, cancel := context.WithTimeout(ctx, claimTimeout)
	defer cancel()
	return a.Dir.Claim(ctx, ref)
}

// pullOnce returns the most room that was needed at any time.
func (a *Agent) pullOnce(ctx context.Context, c *spec.Container, claim *rundir.Claim) (need int64, err error) {
	request := engine.PullRequest{Ref: c.Image, Platform: c.Platform, StallTimeout: c.PullStallTimeout}
	told := int64(0)
	err = a.Engine.Pull(ctx, request, func(p engine.Progress) {
		a.setPending(c, pulling(c.Image, p), nil)
		need = max(need, p.Need())
		if p.Bytes == told || a.keeper == nil { // another layer has begun
			return
		}
		told = p.Bytes
		if claim.Need(p.Need()); a.keeper.Full(ctx, p.Need()) {
			a.keeper.Look()
		}
	})
	return need, err
}

// getGC tells what a run of housekeeping would do.
func (a *Agent) getGC(w http.ResponseWriter, r *http.Request) {
	a.answerGC(w, r, (*housekeeping.Keeper).Plan)
}

// postGC makes a run.
func (a *Agent) postGC(w http.ResponseWriter, r *http.Request) {
	a.answerGC(w, r, func(k *housekeeping.Keeper, ctx context.Context) (api.GC, error) { return k.Collect(ctx, "asked for") })
}

func (a *Agent) answerGC(w http.ResponseWriter, r *http.Request, run func(*housekeeping.Keeper, context.Context) (api.GC, error)) {
	if a.keeper == nil || !a.knowsAssignment() {
		a.refuse(w, http.StatusServiceUnavailable, errNotRead)
		return
	}
	answer, err := run(a.keeper, r.Context())
	switch {
	case err == nil:
		a.send(w, http.StatusOK, answer)
	case errors.Is(err, context.Canceled):
		a.refuse(w, http.StatusServiceUnavailable, errors.New("the agent is being stopped"))
	default:
		a.refuse(w, http.StatusInternalServerError, err)
	}
}
