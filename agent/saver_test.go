package agent

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// An assignment that cannot be saved is in force, and a problem until it is saved.
func TestUnsavedAssignmentIsSavedLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newTestHost(t)
		a := h.agent()
		dir := filepath.Dir(a.store.file.path())
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		h.write(strings.TrimPrefix(dir, h.root), "a file in the way")
		h.userData("i-1", containers("web nginx:1"))
		a.takeOver(t.Context()).wait()
		if got := h.units.starts["dockhost@web.service"]; got != 1 {
			t.Errorf("starts = %d, want 1: what runs does not depend on the disk", got)
		}
		problems := func() string { return strings.Join(a.store.snapshot().source.Problems, "\n") }
		if !strings.Contains(problems(), "save the assignment") {
			t.Errorf("problems = %q, want that the assignment is not saved", problems())
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go a.saver.run(ctx)
		time.Sleep(time.Minute)
		if problems() == "" {
			t.Error("no problem, although the file is still in the way")
		}
		if err := os.Remove(dir); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if problems() != "" {
			t.Errorf("problems = %q after the cure, want none", problems())
		}
		if saved, err := os.ReadFile(a.store.file.path()); err != nil || !strings.Contains(string(saved), "nginx:1") {
			t.Errorf("saved: %s, %v", saved, err)
		}
	})
}
