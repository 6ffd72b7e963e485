package agent

import (
	"context"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/internal/dirwatch"
)

// watchDirs returns a channel that receives after changes in directories, and in those
// that also delivers. On a host that allows no more watches it never receives, and
// changes take a reload.
func watchDirs(ctx context.Context, log *zap.Logger, also <-chan []string, dirs ...string) <-chan struct{} {
	changes, err := dirwatch.Watch(ctx, also, dirs...)
	if err != nil {
		log.Warn("changes of files are not noticed (after one, run: systemctl reload dockhost)", zap.Error(err))
	}
	return changes
}

// watched hands the directories to watch to the watcher, the latest ones only.
type watched chan []string

func newWatched() watched { return make(watched, 1) }

// set replaces the directories. One goroutine at a time may call it.
func (w watched) set(dirs []string) {
	select {
	case <-w:
	default:
	}
	w <- dirs
}
