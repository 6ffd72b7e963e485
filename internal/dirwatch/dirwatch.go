// Package dirwatch reports changes in directories. A directory may be missing at
// first, and be created, renamed and replaced: its path counts.
package dirwatch

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// quiet is the pause after the last change before it is reported: many files
	// are written one after the other, and in several steps.
	quiet = time.Second
	// patience bounds the wait for that pause.
	patience = 10 * time.Second
)

// watch watches some directories.
type watch struct {
	notify *fsnotify.Watcher
	// patterns are the directories to watch, dirs those that they match now.
	patterns, dirs []string
	// also are further directories, which may change.
	also []string
	// watched are the paths that the kernel watches, with the file that each one
	// was at that time.
	watched map[string]os.FileInfo
}

// Watch returns a channel that receives a value after each change in one of the
// directories. Files that change together are one change. It ends with ctx. A
// directory may be a pattern (path.Match) for those in another directory, which must be
// watched, too. also delivers further directories, which replace those that it delivered
// before; nil delivers none. A new one counts as a change, because its files may have
// changed before. The error is the kernel's, which has a limit on watches
// (fs.inotify.*).
func Watch(ctx context.Context, also <-chan []string, dirs ...string) (<-chan struct{}, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watch directories: %w", err)
	}
	w := &watch{notify: notify, patterns: dirs, watched: map[string]os.FileInfo{}}
	if _, err := w.update(); err != nil {
		_ = notify.Close()
		return nil, err
	}
	changes := make(chan struct{}, 1)
	go func() {
		defer notify.Close()
		w.run(ctx, also, changes)
	}()
	return changes, nil
}

func (w *watch) run(ctx context.Context, also <-chan []string, changes chan<- struct{}) {
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
			_, _ = w.update() // what cannot be watched now may be at the next event
		case _, open := <-w.notify.Errors: // events were lost
			if !open {
				return
			}
			_, _ = w.update()
		case w.also = <-also:
			if added, _ := w.update(); !added {
				continue
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

// concerns reports whether an event is about a watched directory or about one on
// the path to it.
func (w *watch) concerns(event fsnotify.Event) bool {
	if event.Op == fsnotify.Chmod {
		return false
	}
	for _, dir := range slices.Concat(w.dirs, w.also) {
		if event.Name == dir || filepath.Dir(event.Name) == dir || strings.HasPrefix(dir, event.Name+"/") {
			return true
		}
	}
	return false
}

// update watches all directories that exist. A directory may be created before
// its parent is watched, without an event, so update looks again until it finds
// nothing new. It reports whether it found something.
func (w *watch) update() (added bool, err error) {
	for {
		again, err := w.add()
		if err != nil || !again {
			return added, err
		}
		added = true
	}
}

// add watches each directory that exists, and its parents, because a directory
// may appear and disappear with them. It reports whether it added a watch.
func (w *watch) add() (added bool, err error) {
	wanted := map[string]os.FileInfo{}
	w.dirs = nil
	for _, pattern := range w.patterns {
		if !strings.ContainsAny(pattern, "*?[") {
			w.dirs = append(w.dirs, pattern)
			continue
		}
		matches, _ := filepath.Glob(pattern) // the error is that of a wrong pattern
		w.dirs = append(w.dirs, matches...)
	}
	for _, dir := range slices.Concat(w.dirs, w.also) {
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
