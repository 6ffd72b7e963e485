package dirwatch

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestWatch(t *testing.T) {
	root := t.TempDir()
	seed, etc := filepath.Join(root, "lib/cloud/seed"), filepath.Join(root, "etc")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(etc, 0o755))
	changes, err := Watch(t.Context(), nil, seed, etc, filepath.Join(etc, "*.d"))
	must(err)
	steps := []struct {
		name string
		do   func() error
	}{
		{"made, with all above it", func() error { return os.MkdirAll(seed, 0o755) }},
		{"a file", func() error { return os.WriteFile(filepath.Join(seed, "user-data"), []byte("a"), 0o600) }},
		{"written again", func() error { return os.WriteFile(filepath.Join(seed, "user-data"), []byte("b"), 0o600) }},
		{"a file renamed", func() error { return os.Rename(filepath.Join(seed, "user-data"), filepath.Join(seed, "x")) }},
		{"removed", func() error { return os.RemoveAll(filepath.Join(root, "lib")) }},
		{"made again", func() error { return os.MkdirAll(seed, 0o755) }},
		{"a file in the new one", func() error { return os.WriteFile(filepath.Join(seed, "user-data"), []byte("a"), 0o600) }},
		{"renamed", func() error { return os.Rename(seed, seed+".old") }},
		{"a link instead", func() error { return os.Symlink(seed+".old", seed) }},
		{"a file behind the link", func() error { return os.WriteFile(filepath.Join(seed+".old", "y"), nil, 0o600) }},
		{"a directory that matches a pattern", func() error { return os.Mkdir(filepath.Join(etc, "a.d"), 0o755) }},
		{"a file in it", func() error { return os.WriteFile(filepath.Join(etc, "a.d/x"), nil, 0o600) }},
		{"a file in it removed", func() error { return os.Remove(filepath.Join(etc, "a.d/x")) }},
		{"the directory removed", func() error { return os.Remove(filepath.Join(etc, "a.d")) }},
		{"the other directory", func() error { return os.WriteFile(filepath.Join(etc, "a.yaml"), nil, 0o600) }},
	}
	for _, step := range steps {
		must(step.do())
		select {
		case <-changes:
		case <-time.After(time.Minute):
			t.Fatalf("%s: not told", step.name)
		}
	}
}

// Changes next to the directory are not reported, and files that change together
// are one change.
func TestWatchTellsOnce(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "dir")
	changes, err := Watch(t.Context(), nil, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"beside", "other/x"} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-changes:
		t.Error("told of what is beside the directory")
	case <-time.After(2 * quiet):
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a", "b", "c"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	<-changes
	select {
	case <-changes:
		t.Error("told twice of files that were written together")
	case <-time.After(2 * quiet):
	}
}

// Further directories are watched once they are named, and no longer once they are
// not. Naming one counts as a change.
func TestWatchAlso(t *testing.T) {
	root := t.TempDir()
	first, second := filepath.Join(root, "first"), filepath.Join(root, "second")
	for _, dir := range []string{first, second} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	also := make(chan []string)
	changes, err := Watch(t.Context(), also, filepath.Join(root, "missing"))
	if err != nil {
		t.Fatal(err)
	}
	touch := func(dir string) {
		if err := os.WriteFile(filepath.Join(dir, "a"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	told := func(what string) {
		t.Helper()
		select {
		case <-changes:
		case <-time.After(time.Minute):
			t.Fatalf("%s: not told", what)
		}
	}
	also <- []string{first}
	told("the first is named")
	touch(first)
	told("a file in the first")
	also <- []string{second}
	told("the second is named")
	touch(second)
	told("a file in the second")
	touch(first)
	select {
	case <-changes:
		t.Error("told of a directory that is not named any more")
	case <-time.After(2 * quiet):
	}
}
