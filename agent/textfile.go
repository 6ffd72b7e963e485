package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/metrics"
	"github.com/dockhost/dockhost/internal/atomicfile"
)

// textfileLag is how long changes are gathered before the file is written.
const textfileLag = time.Second

// textfile writes the metrics to a file for the textfile collector of node_exporter, after
// events that may have changed them.
type textfile struct {
	root     string
	snapshot func(context.Context) metrics.Snapshot
	wakes    chan struct{}
	log      *zap.Logger

	mu sync.Mutex
	// path is "" without a file; wrote is the file that this agent wrote last.
	path, wrote string
	wrong       string
}

// wake has the file written, if it has changed.
func (t *textfile) wake() {
	select {
	case t.wakes <- struct{}{}:
	default:
	}
}

// move has another file written; none for "".
func (t *textfile) move(path string) {
	t.mu.Lock()
	changed := t.path != path
	t.path = path
	t.mu.Unlock()
	if changed {
		t.wake()
	}
}

// problem says why the file cannot be written; "" if it can, or need not be.
func (t *textfile) problem() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wrong
}

// run writes the file after each event until ctx ends.
func (t *textfile) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.wakes:
		}
		t.mu.Lock()
		path, wrote := t.path, t.wrote
		t.mu.Unlock()
		if path == "" && wrote == "" {
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(textfileLag):
		}
		t.note(path, t.write(ctx, path, wrote))
	}
}

// write writes the file. It removes the one that this agent wrote before, where that is
// another one: node_exporter would show it for ever.
func (t *textfile) write(ctx context.Context, path, wrote string) error {
	if wrote != "" && wrote != path {
		if err := os.Remove(filepath.Join(t.root, wrote)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the metrics of before: %w", err)
		}
	}
	if path == "" {
		return nil
	}
	text, err := metrics.Text(t.snapshot(ctx))
	if err != nil {
		return err
	}
	err = atomicfile.WriteChanged(filepath.Join(t.root, path), text, 0o644)
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("%w (dockhost.service may write below /run and /var/lib: name a file there, or run: systemctl edit dockhost, "+
			"and write ReadWritePaths=%s in its [Service] section)", err, filepath.Dir(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w (install node_exporter, or run: mkdir -p %s)", err, filepath.Dir(path))
	}
	return err
}

// note notes the outcome, and logs another problem.
func (t *textfile) note(path string, err error) {
	wrong := ""
	if err != nil {
		wrong = "metrics.textfile: " + err.Error()
	}
	t.mu.Lock()
	changed := t.wrong != wrong
	t.wrong = wrong
	if err == nil {
		t.wrote = path
	}
	t.mu.Unlock()
	if changed && wrong != "" {
		t.log.Error("metrics not written", zap.String("problem", wrong))
	}
}
