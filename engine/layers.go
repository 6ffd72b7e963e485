package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// LayerFiles reads the layers of images and their sizes from the Engine's own files.
// The API returns the layers of one image at a time, and no sizes. The files have had
// the same format since Docker 1.10, but do not exist with containerd's image
// store. Callers compare the sum of the sizes with [StoredImage.Size].
type LayerFiles struct {
	images, layers string
	sizes          map[string]int64
}

// NewLayerFiles returns the layer files of an Engine, or nil if they cannot be read
// on this host.
func NewLayerFiles(info Info) *LayerFiles {
	dir := filepath.Join(info.Root, "image", info.Driver)
	if _, err := os.Stat(filepath.Join(dir, "layerdb")); info.Snapshotter || err != nil {
		return nil
	}
	return &LayerFiles{
		images: filepath.Join(dir, "imagedb/content/sha256"), layers: filepath.Join(dir, "layerdb/sha256"), sizes: map[string]int64{},
	}
}

// Layers returns the keys of an image's layers, from the lowest, and the time when
// the image arrived on this host.
func (f *LayerFiles) Layers(imageID string) (keys []string, arrived time.Time, err error) {
	path := filepath.Join(f.images, strings.TrimPrefix(imageID, "sha256:"))
	info, err := os.Stat(path)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the layers of an image: %w", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("read the layers of an image: %w", err)
	}
	var config struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(raw, &config); err != nil {
		return nil, time.Time{}, fmt.Errorf("read the layers of an image: %w", err)
	}
	chain := ""
	for _, diff := range config.RootFS.DiffIDs {
		chain = chainID(chain, diff)
		if err := f.readSize(chain); err != nil {
			return nil, time.Time{}, fmt.Errorf("read the layers of an image: %w", err)
		}
		keys = append(keys, chain)
	}
	return keys, info.ModTime(), nil
}

// Has returns how many of an image's layers the Engine has, counted from the lowest.
// diffIDs are the digests of the layers' contents.
func (f *LayerFiles) Has(diffIDs []string) int {
	chain := ""
	for n, diff := range diffIDs {
		chain = chainID(chain, diff)
		if _, err := os.Stat(filepath.Join(f.layers, strings.TrimPrefix(chain, "sha256:"), "size")); err != nil {
			return n
		}
	}
	return len(diffIDs)
}

// Sizes returns the sizes in bytes of all layers that [LayerFiles.Layers] returned, by
// key.
func (f *LayerFiles) Sizes() map[string]int64 { return f.sizes }

func (f *LayerFiles) readSize(chain string) error {
	if _, known := f.sizes[chain]; known {
		return nil
	}
	raw, err := os.ReadFile(filepath.Join(f.layers, strings.TrimPrefix(chain, "sha256:"), "size"))
	if err != nil {
		return err
	}
	size, err := strconv.ParseInt(strings.TrimSpace(string(raw)), 10, 64)
	if err != nil {
		return err
	}
	f.sizes[chain] = size
	return nil
}

// chainID identifies a layer together with the layers below it (OCI image-spec,
// config.md, "Layer ChainID").
func chainID(below, diff string) string {
	if below == "" {
		return diff
	}
	sum := sha256.Sum256([]byte(below + " " + diff))
	return "sha256:" + hex.EncodeToString(sum[:])
}
