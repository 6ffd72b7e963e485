package housekeeping

import (
	"context"
	"math"
	"math/rand/v2"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/rundir"
)

const (
	// lookInterval is how often the keeper looks how full the disk is. It asks the
	// kernel alone.
	lookInterval = time.Minute
	// firstRun is the delay of the first run without another cause, so that it does
	// not slow down a boot.
	firstRun = 10 * time.Minute
	// lockTimeout bounds the wait for programs that are claiming an image.
	lockTimeout = time.Minute
)

// docker is what the keeper needs from the Engine.
type docker interface {
	Info(ctx context.Context) (engine.Info, error)
	Images(ctx context.Context, shared bool) ([]engine.StoredImage, error)
	Containers(ctx context.Context) ([]engine.StoredContainer, error)
	Image(ctx context.Context, ref string) (engine.Image, error)
	RemoveImage(ctx context.Context, ref string) error
	RemoveEnded(ctx context.Context, id string) error
	PruneBuildCache(ctx context.Context, unused time.Duration) (int64, error)
	PruneNetworks(ctx context.Context, age time.Duration) ([]string, error)
	PruneVolumes(ctx context.Context, also func(engine.Volume) bool) ([]string, error)
	Usage(ctx context.Context) (engine.Usage, error)
	Uses(ctx context.Context, since time.Time) <-chan engine.Use
}

// Assigned is what the host runs, or is about to run.
type Assigned struct {
	// Images are references, Names are names of the containers in force.
	Images, Names []string
	// Declared are the names of all containers that are in force or declared.
	Declared []string
}

// Options are what a keeper works with.
type Options struct {
	// Root is a prefix of the host's paths except for Docker's, "" on a real host.
	Root   string
	Dir    rundir.Dir
	Docker docker
	// Policy and Assigned return what is configured and assigned now.
	Policy   func() Policy
	Assigned func() Assigned
	// Wanted reports whether the keeper may ask Docker. If an operator has stopped
	// Docker, a request would start it again.
	Wanted func(ctx context.Context) bool
	// Changed is called when the status changes, Looked after each look at the disk; nil
	// calls nothing.
	Changed, Looked func()
	Log             *zap.Logger
	// Statfs and Now are for tests; nil stands for the kernel's.
	Statfs func(root string) (Disk, error)
	Now    func() time.Time
}

// Keeper keeps the disk of a host from filling.
type Keeper struct {
	Options

	// running serializes runs.
	running sync.Mutex
	// looks receives when the keeper should look at the disk now.
	looks chan struct{}

	mu     sync.Mutex
	memory *memory
	// uses are the uses that Docker reported since the last run, by reference.
	uses map[string]time.Time
	// roots are empty until Docker was asked.
	roots  roots
	status api.Housekeeping
	// freed is how many bytes all runs have freed.
	freed int64
	// stuck is when a run could not bring the disk below the high mark; zero after
	// one that did.
	stuck time.Time
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
	due := k.Now().Add(firstRun/2 + rand.N(firstRun)) //nolint:gosec // G404: a guess gains nothing
	for {
		requested := false
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-k.looks:
			requested = true
		}
		k.notePulls(ctx)
		policy := k.Policy()
		k.noteRoom(policy)
		if k.Looked != nil {
			k.Looked()
		}
		now := k.Now()
		cause := k.cause(policy, !now.Before(due), requested)
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

// Look has the keeper look at the disk now, since it may be full, or a container
// may have become ready with another image.
func (k *Keeper) Look() {
	select {
	case k.looks <- struct{}{}:
	default:
	}
}

// Full reports whether the disk is too full, or would be with need more bytes.
func (k *Keeper) Full(ctx context.Context, need int64) bool {
	disk, err := k.disk(ctx)
	return err == nil && disk.full(k.Policy(), need)
}

// Free returns how many bytes the disk has left, [math.MaxInt64] when that is not
// known.
func (k *Keeper) Free(ctx context.Context) int64 {
	disk, err := k.disk(ctx)
	if err != nil {
		return math.MaxInt64
	}
	return disk.Free
}

// lock prevents programs from claiming images until unlock is called.
func (k *Keeper) lock(ctx context.Context) (unlock func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	return k.Dir.LockImages(ctx)
}
