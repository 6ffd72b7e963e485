package agent

import (
	"context"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/dirwatch"
)

// watchDirs returns a channel that receives after changes in directories. On a
// host that allows no more watches it never receives, and changes take a reload.
func watchDirs(ctx context.Context, log *zap.Logger, dirs ...string) <-chan struct{} {
	changes, err := dirwatch.Watch(ctx, dirs...)
	if err != nil {
		log.Warn("changes of files are not noticed (after one, run: systemctl reload dockhost)", zap.Error(err))
	}
	return changes
}
