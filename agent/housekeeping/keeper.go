package housekeeping

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/go-units"
	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
	"github.com/dockhost/dockhost/rundir"
)

const (
	// lookInterval is how often it is looked how full the disk is, which wakes
	// nobody but the agent.
	lookInterval = time.Minute
	// vainInterval is how long a disk that is full, and of which nothing can go,
	// is left alone.
	vainInterval = 10 * time.Minute
	// firstRun is when the first run begins without a cause: not in a boot.
	firstRun = 10 * time.Minute
	// lockTimeout bounds the wait for programs that claim an image just now.
	lockTimeout = time.Minute
	// maxUses bounds how many images' uses are kept in mind between two runs.
	maxUses = 10_000
	// networkAge is how old a network must be to go.
	networkAge = time.Hour
)

// docker is what is asked of the Engine.
type docker interface {
	Info(ctx context.Context) (engine.Info, error)
	Images(ctx context.Context, shared bool) ([]engine.StoredImage, error)
	Containers(ctx context.Context) ([]engine.StoredContainer, error)
	Image(ctx context.Context, ref string) (engine.Image, error)
	RemoveImage(ctx context.Context, ref string) error
	RemoveEnded(ctx context.Context, id string) error
	PruneBuildCache(ctx context.Context, unused time.Duration) (int64, error)
	PruneNetworks(ctx context.Context, age time.Duration) ([]string, error)
	PruneVolumes(ctx context.Context) ([]string, error)
	Usage(ctx context.Context) (engine.Usage, error)
	Uses(ctx context.Context, since time.Time) <-chan engine.Use
}

// Assigned is what the host runs, and is about to.
type Assigned struct {
	// Images are references, Names those of containers.
	Images, Names []string
}

// Options are what a keeper works with.
type Options struct {
	// Root is a prefix of the host's paths but for Docker's, "" on a real one.
	Root   string
	Dir    rundir.Dir
	Docker docker
	// Policy is what holds now, Assigned what runs.
	Policy   func() Policy
	Assigned func() Assigned
	// Wanted says whether Docker is to be asked at all: one that an operator
	// stopped would be started by the question.
	Wanted func(ctx context.Context) bool
	// Changed is called when the status changes.
	Changed func()
	Log     *zap.Logger
	// Statfs and Now are the kernel's; nil is.
	Statfs func(root string) (Disk, error)
	Now    func() time.Time
}

// Keeper keeps the disk of one host from filling.
type Keeper struct {
	Options

	// running serializes runs.
	running sync.Mutex
	// looks gets a word when the disk is to be looked at.
	looks chan struct{}

	mu     sync.Mutex
	memory *memory
	// uses are those that Docker told of, by reference, until the next run.
	uses map[string]time.Time
	// root is Docker's, "" until it was asked.
	root   string
	status api.Housekeeping
	// vain is when a run did not bring the disk below the high mark, zero after
	// one that did.
	vain time.Time
}

// New returns a keeper that has done nothing yet.
func New(o Options) *Keeper {
	if o.Statfs == nil {
		o.Statfs = statfs
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	m, err := loadMemory(o.Root)
	if err != nil {
		o.Log.Warn("uses of images forgotten", zap.Error(err))
	}
	return &Keeper{Options: o, memory: m, uses: map[string]time.Time{}, looks: make(chan struct{}, 1)}
}

// Run keeps the disk from filling until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() { k.followUses(ctx) })
	defer group.Wait()
	ticker := time.NewTicker(lookInterval)
	defer ticker.Stop()
	due := k.Now().Add(firstRun/2 + rand.N(firstRun)) //nolint:gosec // G404: nobody gains from guessing it
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-k.looks:
			asked = true
		}
		k.absorb(ctx)
		policy := k.Policy()
		now := k.Now()
		cause := k.cause(policy, !now.Before(due), asked)
		if policy.Off || cause == "" || !k.Wanted(ctx) {
			continue
		}
		if !now.Before(due) {
			due = now.Add(policy.Interval - policy.Interval/10 + rand.N(policy.Interval/5)) //nolint:gosec // as above
		}
		if _, err := k.Collect(ctx, cause); err != nil && ctx.Err() == nil {
			k.Log.Debug("housekeeping skipped", zap.Error(err))
		}
	}
}

// Full says whether the disk is too full, or would be with so many bytes more.
func (k *Keeper) Full(ctx context.Context, need int64) bool {
	disk, err := k.disk(ctx)
	return err == nil && disk.full(k.Policy(), need)
}

// Free is how many bytes the disk has left; where that is not known, the most
// that there could be.
func (k *Keeper) Free(ctx context.Context) int64 {
	disk, err := k.disk(ctx)
	if err != nil {
		return math.MaxInt64
	}
	return disk.Free
}

func (k *Keeper) disk(ctx context.Context) (Disk, error) {
	k.mu.Lock()
	root := k.root
	k.mu.Unlock()
	if root == "" {
		info, err := k.Docker.Info(ctx)
		if err != nil {
			return Disk{}, err
		}
		root = info.Root
		k.setRoot(root)
	}
	return k.Statfs(root)
}

// Look has the disk looked at now, since it may be full, or a container may have
// become ready with another image.
func (k *Keeper) Look() {
	select {
	case k.looks <- struct{}{}:
	default:
	}
}

// cause says why a run is to begin, "" when none is.
func (k *Keeper) cause(policy Policy, due, asked bool) string {
	if k.replaced() {
		return "a container was replaced"
	}
	k.mu.Lock()
	root, vain := k.root, k.vain
	k.mu.Unlock()
	if root != "" {
		disk, err := k.Statfs(root)
		if need := k.need(); err == nil && disk.full(policy, need) && (k.Now().Sub(vain) >= vainInterval || asked && need > disk.Free) {
			return "the disk is too full"
		}
	}
	if due {
		return "the interval is over"
	}
	return ""
}

// need is how many bytes the pulls that are under way are still to bring.
func (k *Keeper) need() (sum int64) {
	claimed, _, err := k.Dir.Claims()
	if err != nil {
		return 0
	}
	for _, claim := range claimed {
		sum += claim.Need
	}
	return sum
}

// replaced says whether a container is ready that was not seen ready before.
func (k *Keeper) replaced() bool {
	names := k.Assigned().Names
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, name := range names {
		state, err := k.Dir.State(name)
		if err != nil || !state.Ready {
			continue
		}
		if w := k.memory.Ways[name]; w == nil || w.Container != state.ContainerID {
			return true
		}
	}
	return false
}

// absorb remembers what was pulled, and sweeps the notes of it.
func (k *Keeper) absorb(ctx context.Context) {
	_, pulled, err := k.Dir.Claims()
	if err != nil || len(pulled) == 0 {
		return
	}
	unlock, err := k.lock(ctx)
	if err != nil {
		k.Log.Warn("pulls not remembered", zap.Error(err))
		return
	}
	defer unlock()
	if _, pulled, err = k.Dir.Claims(); err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	changed := k.memory.notePulled(pulled, k.Now())
	if changed {
		err = k.memory.save(k.Root)
	}
	if err == nil {
		err = k.Dir.SweepClaims()
	}
	if err != nil {
		k.Log.Warn("pulls not remembered", zap.Error(err))
	}
}

// lock keeps programs from claiming images.
func (k *Keeper) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	return k.Dir.LockImages(ctx)
}

// followUses remembers when images are used, as Docker tells.
func (k *Keeper) followUses(ctx context.Context) {
	const first, longest = time.Second, 5 * time.Minute
	tries := backoff.Backoff{Next: first, Cap: longest}
	last := time.Time{}
	for {
		if k.Wanted(ctx) {
			for use := range k.Docker.Uses(ctx, last) {
				last = use.At
				tries = backoff.Backoff{Next: first, Cap: longest}
				k.noteUse(use)
			}
		}
		if tries.Wait(ctx) != nil {
			return
		}
	}
}

func (k *Keeper) noteUse(use engine.Use) {
	k.mu.Lock()
	defer k.mu.Unlock()
	ref := normalize(use.Image)
	if _, known := k.uses[ref]; known || len(k.uses) < maxUses {
		k.uses[ref] = use.At
	}
}

// Plan says what a run would do now, and what fills the disk where that would not
// be enough.
func (k *Keeper) Plan(ctx context.Context) (api.GC, error) {
	in, err := k.gather(ctx)
	if err != nil {
		return api.GC{}, err
	}
	plan := Make(in, k.Policy())
	if plan.Frees < plan.Disk.Wanted && !limited(plan) {
		plan.Holds = k.holdsOf(ctx, in.Disk.Root)
	}
	return plan, nil
}

// limited says whether more may go in another run.
func limited(plan api.GC) bool {
	return slices.ContainsFunc(plan.Images, func(v api.GCImage) bool { return v.Rule == ruleLimit })
}

// Collect makes a run. The result says what was done, also beside an error.
func (k *Keeper) Collect(ctx context.Context, cause string) (api.GC, error) {
	return k.collect(ctx, cause, 0)
}

// MakeRoom makes a run for a pull that needs so many bytes, by rule of thumb, and
// returns how many bytes it freed. The error says what is missing, and who holds
// the space.
func (k *Keeper) MakeRoom(ctx context.Context, need int64) (freed int64, err error) {
	policy := k.Policy()
	if policy.Off {
		return 0, errors.New("housekeeping is off (housekeeping in dockhost.yaml)")
	}
	done, err := k.collect(ctx, "a pull does not fit", need)
	if err != nil {
		return done.Freed, err
	}
	disk, err := k.Statfs(done.Disk.Root)
	if err != nil || disk.Free >= need {
		return done.Freed, err
	}
	var holders []string
	for _, h := range done.Holds {
		holders = append(holders, fmt.Sprintf("%s (%s)", h.What, units.HumanSize(float64(h.Bytes))))
	}
	return done.Freed, fmt.Errorf("%s has %s left, about %s are missing, and nothing more can be removed; most is held by %s (see: dockhostctl gc --dry-run)",
		disk.Root, units.HumanSize(float64(disk.Free)), units.HumanSize(float64(need-disk.Free)), strings.Join(holders, ", "))
}

func (k *Keeper) collect(ctx context.Context, cause string, need int64) (api.GC, error) {
	k.running.Lock()
	defer k.running.Unlock()
	in, err := k.gather(ctx)
	if err != nil {
		k.setStatus(func(s *api.Housekeeping) { s.Error = err.Error() })
		return api.GC{}, err
	}
	policy := k.Policy()
	in.Need = max(in.Need, need)
	plan := Make(in, policy)
	plan.Done = true
	k.removeContainers(ctx, &plan)
	k.removeImages(ctx, &plan, in, policy)
	k.removeRest(ctx, &plan, policy)
	after, err := k.Statfs(in.Disk.Root)
	if err != nil {
		return plan, err
	}
	plan.Freed = max(in.Disk.Used-after.Used, 0)
	k.tell(ctx, &plan, after, policy, in.Need)
	k.logRun(plan, cause)
	return plan, ctx.Err()
}

// removeContainers removes those that ended long ago.
func (k *Keeper) removeContainers(ctx context.Context, plan *api.GC) {
	for i := range plan.Containers {
		c := &plan.Containers[i]
		err := k.Docker.RemoveEnded(ctx, c.ID)
		if err == nil {
			k.Log.Info("container removed", zap.String("container", c.Name), zap.String("container_id", c.ID), zap.String("reason", c.Reason))
			continue
		}
		c.Error = err.Error()
		if !errors.Is(err, engine.ErrConflict) {
			plan.Problems = append(plan.Problems, err.Error())
		}
	}
}

// removeImages removes what the plan says, one after the other. What a program
// has begun to use meanwhile stays, and so does what the disk has room for by
// now: sizes are Docker's, and how full the disk is, the kernel's.
func (k *Keeper) removeImages(ctx context.Context, plan *api.GC, in Input, policy Policy) {
	byID := make(map[string]*Image, len(in.Images))
	for i := range in.Images {
		byID[in.Images[i].ID] = &in.Images[i]
	}
	gave := time.Now()
	for i := range plan.Images {
		v := &plan.Images[i]
		if !v.Remove {
			break
		}
		if disk, err := k.Statfs(in.Disk.Root); v.Rule == ruleLRU && err == nil && disk.low(policy, in.Need) {
			v.Remove, v.Rule, v.Reason = false, ruleRoom, "nothing needs it, but there is room again"
			continue
		}
		if time.Since(gave) > turn {
			giveWay(ctx)
			gave = time.Now()
		}
		why, err := k.removeImage(ctx, byID[v.ID])
		switch {
		case err != nil:
			v.Error = err.Error()
			plan.Problems = append(plan.Problems, err.Error())
			if errors.Is(err, engine.ErrUnreachable) || ctx.Err() != nil {
				return
			}
		case why != "":
			v.Remove, v.Rule, v.Reason = false, ruleClaimed, why
		default:
			k.Log.Info("image removed", zap.String("image", v.ID), zap.Strings("names", v.Names), zap.String("rule", v.Rule),
				zap.String("reason", v.Reason), zap.Int64("frees", v.Frees))
		}
	}
}

// turn is how long removals follow one another before others get their turn.
const turn = 100 * time.Millisecond

// giveWay lets programs claim images between two removals.
func giveWay(ctx context.Context) {
	timer := time.NewTimer(2 * rundir.LockPause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// removeImage removes one image, unless somebody uses it by now: why says so.
func (k *Keeper) removeImage(ctx context.Context, image *Image) (why string, err error) {
	unlock, err := k.lock(ctx)
	if err != nil {
		return "", err
	}
	defer unlock()
	claimed, _, err := k.Dir.Claims()
	if err != nil {
		return "", err
	}
	refs := k.Assigned().Images
	for _, claim := range claimed {
		refs = append(refs, claim.Ref)
	}
	if ref := image.referenceIn(normalized(refs)); ref != "" {
		return "about to be used, as " + ref, nil
	}
	// By its ID an image goes only if one repository names it. All names but the
	// last are taken from it, if they are still its own.
	names := image.names()
	for _, name := range names[:max(len(names)-1, 0)] {
		if now, err := k.Docker.Image(ctx, name); err != nil || now.ID != image.ID {
			continue
		}
		if err := k.Docker.RemoveImage(ctx, name); err != nil && !errors.Is(err, engine.ErrConflict) {
			return "", err
		}
	}
	err = k.Docker.RemoveImage(ctx, image.ID)
	if errors.Is(err, engine.ErrConflict) {
		return "in use by now: Docker keeps it", nil
	}
	return "", err
}

// names are the references that hold an image: its tags, and of its digests
// those of repositories without a tag.
func (i *Image) names() []string {
	names := slices.Clone(i.Tags)
	for _, digest := range i.Digests {
		if !slices.ContainsFunc(i.Tags, func(tag string) bool { return repository(tag) == repository(digest) }) {
			names = append(names, digest)
		}
	}
	return names
}

// removeRest removes what is no image and no container.
func (k *Keeper) removeRest(ctx context.Context, plan *api.GC, policy Policy) {
	note := func(what string, err error) {
		if err != nil {
			plan.Problems = append(plan.Problems, err.Error())
		}
		if what != "" {
			plan.Removed = append(plan.Removed, what)
			k.Log.Info("removed", zap.String("what", what))
		}
	}
	if policy.BuildCache > 0 {
		freed, err := k.Docker.PruneBuildCache(ctx, policy.BuildCache)
		what := ""
		if freed > 0 {
			what = units.HumanSize(float64(freed)) + " of build cache"
		}
		note(what, err)
	}
	if policy.Networks {
		names, err := k.Docker.PruneNetworks(ctx, networkAge)
		for _, name := range names {
			note("network "+name, nil)
		}
		note("", err)
	}
	if policy.Volumes {
		names, err := k.Docker.PruneVolumes(ctx)
		for _, name := range names {
			note("volume "+name, nil)
		}
		note("", err)
	}
}

// tell has the status say how the run ended. What fills the disk is looked for
// once, until there is room again or a pull asks.
func (k *Keeper) tell(ctx context.Context, plan *api.GC, after Disk, policy Policy, need int64) {
	now := k.Now()
	full := after.full(policy, need) && !limited(*plan)
	k.mu.Lock()
	known := k.status.Holds
	k.vain = time.Time{}
	if full {
		k.vain = now
	}
	k.mu.Unlock()
	problem := ""
	if full {
		if len(known) == 0 || need > after.Free {
			known = k.holdsOf(ctx, after.Root)
		}
		plan.Holds = known
		problem = fmt.Sprintf("the file system of %s is %d%% full (inodes: %d%%), and no more can be removed (see: dockhostctl gc --dry-run)",
			after.Root, after.used(), after.filesUsed())
	}
	was := k.Status().Problem
	k.setStatus(func(s *api.Housekeeping) {
		s.Problem, s.Holds, s.LastRun, s.Error = problem, plan.Holds, &now, ""
	})
	if full && was == "" {
		k.Log.Error("disk too full, and no more can be removed", zap.String("problem", problem))
		for _, h := range plan.Holds {
			k.Log.Error("what fills the disk", zap.String("what", h.What), zap.Int64("bytes", h.Bytes), zap.String("cure", h.Cure))
		}
	}
}

func (k *Keeper) logRun(plan api.GC, cause string) {
	removed := 0
	for _, v := range plan.Images {
		if v.Remove && v.Error == "" {
			removed++
		}
	}
	log := k.Log.Debug
	if removed+len(plan.Containers)+len(plan.Removed) > 0 {
		log = k.Log.Info
	}
	log("housekeeping done", zap.String("cause", cause), zap.Int("images_removed", removed), zap.Int64("freed", plan.Freed))
	for _, problem := range plan.Problems {
		k.Log.Warn("housekeeping incomplete", zap.String("problem", problem))
	}
}

// Status is what is wrong with the disk.
func (k *Keeper) Status() api.Housekeeping {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.status
}

func (k *Keeper) setStatus(change func(s *api.Housekeeping)) {
	k.mu.Lock()
	before := k.status.Problem
	change(&k.status)
	changed := before != k.status.Problem
	k.mu.Unlock()
	if changed {
		k.Changed()
	}
}

func (k *Keeper) setRoot(root string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.root = root
}
