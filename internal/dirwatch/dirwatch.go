// Package dirwatch tells when something in a directory changes. The directory
// may be missing, made, renamed and replaced: what counts is what its path
// leads to.
package dirwatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is how long nothing may have changed before a change is told: many
	// files are written one after the other, and in several steps.
	quiet = time.Second
	// patience bounds the wait for quiet.
	patience = 10 * time.Second
)

// watch is the watching of some directories.
type watch struct {
	notify *fsnotify.Watcher
	dirs   []string
	// watched are the paths that the kernel watches, with the file that each
	// led to when it was asked to.
	watched map[string]os.FileInfo
}

// Watch returns a channel that gets a word after each change in one of the
// directories, files that change together being one change. It ends with ctx.
// The error is the kernel's, which has a limit on watches (fs.inotify.*).
func Watch(ctx context.Context, dirs ...string) (<-chan struct{}, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch directories: %w", err)
	}
	w := &watch{notify: notify, dirs: dirs, watched: map[string]os.FileInfo{}}
	if err := w.update(); err != nil {
		_ = notify.Close()
		return nil, err
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer notify.Close()
		w.run(ctx, changes)
	}()
	return changes, nil
}

func (w *watch) run(ctx context.Context, changes chan<- struct{}) {
	var told, latest <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case event, open := <-w.notify.Events:
			if !open {
				return
			}
			if !w.concerns(event) {
				continue
			}
		case _, open := <-w.notify.Errors: // events were lost
			if !open {
				return
			}
		case <-told:
			told, latest = nil, nil
			tell(changes)
			continue
		case <-latest:
			told, latest = nil, nil
			tell(changes)
			continue
		}
		_ = w.update() // what cannot be watched now may be at the next event
		told = time.After(quiet)
		if latest == nil {
			latest = time.After(patience)
		}
	}
}

func tell(changes chan<- struct{}) {
	select {
	case changes <- struct{}{}:
	default: // one is waiting already
	}
}

// concerns says whether an event is one of a watched directory, or of what
// leads to one.
func (w *watch) concerns(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	for _, dir := range w.dirs {
		if event.Name == dir || filepath.Dir(event.Name) == dir || strings.HasPrefix(dir, event.Name+"/") {
			return true
		}
	}
	return false
}

// update watches what there is to watch. A directory may have been made before
// the one above it was watched, which nobody tells of: it looks again until
// there is nothing new.
func (w *watch) update() error {
	for {
		added, err := w.add()
		if err != nil || !added {
			return err
		}
	}
}

// add watches each directory that is there, and for each the directories above
// it down from the first that is there, by which it may come and go. It says
// whether that was anything new.
func (w *watch) add() (added bool, err error) {
	wanted := map[string]os.FileInfo{}
	for _, dir := range w.dirs {
		for path := dir; ; path = filepath.Dir(path) {
			info, err := os.Stat(path)
			if err == nil && info.IsDir() {
				wanted[path] = info
				if path != dir {
					break
				}
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return false, fmt.Errorf("watch %q: %w", path, err)
			}
			if path == filepath.Dir(path) {
				break
			}
		}
	}
	for path, was := range maps.Clone(w.watched) {
		if now := wanted[path]; now == nil || !os.SameFile(was, now) {
			_ = w.notify.Remove(path)
			delete(w.watched, path)
		}
	}
	for path, info := range wanted {
		if w.watched[path] != nil {
			continue
		}
		if err := w.notify.Add(path); errors.Is(err, fs.ErrNotExist) { // gone again
			continue
		} else if err != nil {
			return false, fmt.Errorf("watch %q: %w (see: sysctl fs.inotify)", path, err)
		}
		w.watched[path], added = info, true
	}
	return added, nil
}
