package housekeeping

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/engine"
	"github.com/dockhost/dockhost/internal/backoff"
)

// maxUses bounds how many images' uses the keeper remembers between two runs.
const maxUses = 10_000

// notePulls remembers what programs of dockhost have pulled, and removes the notes
// that they left about it.
func (k *Keeper) notePulls(ctx context.Context) {
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
	if k.memory.notePulled(pulled, k.Now()) {
		err = k.memory.save(k.Root)
	}
	if err == nil {
		err = k.Dir.SweepClaims()
	}
	if err != nil {
		k.Log.Warn("pulls not remembered", zap.Error(err))
	}
}

// followUses remembers when images are used, as Docker's events report it.
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
