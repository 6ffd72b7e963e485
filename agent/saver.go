package agent

import (
	"context"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/backoff"
)

// saver saves what is accepted again, until it is on the disk: the disk was full, for
// example. What runs does not depend on it, but the next boot may.
type saver struct {
	store    *store
	deployer *deployer
	// report is called when it is saved.
	report func()
	wake   chan struct{}
	log    *zap.Logger
}

// wakeUp says that what is accepted could not be saved.
func (s *saver) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run saves on request until ctx ends.
func (s *saver) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		tries := backoff.Backoff{Next: time.Second, Cap: 30 * time.Second}
		for tries.Wait(ctx) == nil {
			if s.deployer.undisturbed(s.store.saveAgain) == nil {
				s.log.Info("the assignment is saved")
				s.report()
				break
			}
		}
	}
}
