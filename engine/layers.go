package engine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// maxAsked bounds how many images [Client.HasLayers] asks for.
const maxAsked = 50

// HasLayers returns how many of an image's layers the Engine has in its newest images,
// counted from the lowest. It asks for one image after the other, and so serves an Engine
// without [LayerFiles]. diffIDs are the digests of the layers' contents.
func (c *Client) HasLayers(ctx context.Context, diffIDs []string) (int, error) {
	stored, err := c.Images(ctx, false)
	if err != nil {
		return 0, err
	}
	slices.SortFunc(stored, func(a, b StoredImage) int { return b.Created.Compare(a.Created) })
	present := 0
	for _, s := range stored[:min(len(stored), maxAsked)] {
		if present == len(diffIDs) {
			break
		}
		image, err := c.Image(ctx, s.ID)
		if errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
			return 0, err
		}
		if err == nil { // an image may be gone by now, or have no content
			present = max(present, commonStart(image.Layers, diffIDs))
		}
	}
	return present, nil
}

// commonStart returns how many elements two lists have in common at their start.
func commonStart(a, b []string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
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
