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

// LayerFiles reads what the layers of images are, and how large, from the files
// in which the Engine keeps that. The API tells it of one image at a time, and
// sizes not at all; the files have been the same since Docker 1.10 for every
// storage driver but containerd's. Whoever reads them compares: see
// [StoredImage.Size].
type LayerFiles struct {
	images, layers string
	sizes          map[string]int64
}

// NewLayerFiles returns those of an Engine whose files can be read here, nil
// where there are none.
func NewLayerFiles(info Info) *LayerFiles {
	dir := filepath.Join(info.Root, "image", info.Driver)
	if _, err := os.Stat(filepath.Join(dir, "layerdb")); info.Snapshotter || err != nil {
		return nil
	}
	return &LayerFiles{
		images: filepath.Join(dir, "imagedb/content/sha256"), layers: filepath.Join(dir, "layerdb/sha256"), sizes: map[string]int64{},
	}
}

// Layers returns the keys of an image's layers, from the lowest, and when the
// image came to this host.
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

// Has returns how many of an image's layers the Engine has, from the lowest,
// by the digests of what is in them.
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

// Sizes are those of all layers that were returned, by key.
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

// chainID identifies a layer together with those below it (OCI image-spec,
// config.md, "Layer ChainID").
func chainID(below, diff string) string {
	if below == "" {
		return diff
	}
	sum := sha256.Sum256([]byte(below + " " + diff))
	return "sha256:" + hex.EncodeToString(sum[:])
}
