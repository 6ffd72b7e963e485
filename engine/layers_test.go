package engine

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestLayerFiles(t *testing.T) {
	root := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(root, "image/overlay2", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if files := NewLayerFiles(Info{Root: root, Driver: "overlay2"}); files != nil {
		t.Error("NewLayerFiles() without files is not nil")
	}
	low, high := "sha256:"+strings.Repeat("a", 64), "sha256:"+strings.Repeat("b", 64)
	both := chainID(low, high)
	write("imagedb/content/sha256/1", `{"rootfs":{"type":"layers","diff_ids":["`+low+`","`+high+`"]}}`)
	write("imagedb/content/sha256/2", `{"rootfs":{"type":"layers","diff_ids":["`+low+`"]}}`)
	write("imagedb/content/sha256/3", `{"rootfs":{"type":"layers","diff_ids":["`+high+`"]}}`)
	write("imagedb/content/sha256/4", `{`)
	write("layerdb/sha256/"+strings.TrimPrefix(low, "sha256:")+"/size", "100")
	write("layerdb/sha256/"+strings.TrimPrefix(both, "sha256:")+"/size", "23\n")
	if files := NewLayerFiles(Info{Root: root, Driver: "overlay2", Snapshotter: true}); files != nil {
		t.Error("NewLayerFiles() of containerd's store is not nil")
	}
	files := NewLayerFiles(Info{Root: root, Driver: "overlay2"})
	if keys, arrived, err := files.Layers("sha256:1"); err != nil || !slices.Equal(keys, []string{low, both}) || time.Since(arrived) > time.Hour {
		t.Errorf("Layers() = %v, %v, %v", keys, arrived, err)
	}
	if keys, _, err := files.Layers("sha256:2"); err != nil || !slices.Equal(keys, []string{low}) {
		t.Errorf("Layers() = %v, %v", keys, err)
	}
	if sizes := files.Sizes(); sizes[low] != 100 || sizes[both] != 23 {
		t.Errorf("Sizes() = %v", sizes)
	}
	for _, damaged := range []string{"sha256:3", "sha256:4", "sha256:5"} {
		if keys, _, err := files.Layers(damaged); err == nil {
			t.Errorf("Layers(%q) = %v, want an error", damaged, keys)
		}
	}
}
