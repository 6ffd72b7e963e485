package housekeeping

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"go.uber.org/zap"

	"github.com/dockhost/dockhost/agent/api"
	"github.com/dockhost/dockhost/engine"
)

// preloadedPath is the list of the images that were baked into the host's, made
// by packaging/bake.
const preloadedPath = "/var/lib/dockhost/preloaded.json"

// unitLabel is on each container that a supervisor made.
const unitLabel = "dockhost.unit"

// gather asks for all that a plan is made of: three calls of the Engine, however
// many images there are. It brings the memory up to date on the way, and saves
// it.
func (k *Keeper) gather(ctx context.Context) (Input, error) {
	began := k.Now()
	info, err := k.Docker.Info(ctx)
	if err != nil {
		return Input{}, err
	}
	images, err := k.Docker.Images(ctx, info.Snapshotter)
	if err != nil {
		return Input{}, err
	}
	containers, err := k.Docker.Containers(ctx)
	if err != nil {
		return Input{}, err
	}
	disk, err := k.Statfs(info.Root)
	if err != nil {
		return Input{}, err
	}
	claimed, pulled, err := k.Dir.Claims()
	if err != nil {
		return Input{}, err
	}
	k.setRoot(info.Root)
	assigned := k.Assigned()
	in := Input{Now: k.Now(), Assigned: assigned.Images, Preloaded: k.preloaded(), Disk: disk}
	for _, claim := range claimed {
		in.Claimed, in.Need = append(in.Claimed, claim.Ref), in.Need+claim.Need
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory.notePulled(pulled, in.Now)
	k.noteContainers(containers, assigned.Names, in.Now)
	k.noteUses(images, in.Now)
	known := map[string]bool{}
	for _, image := range images {
		known[image.ID] = true
		k.memory.of(image.ID, in.Now)
	}
	k.memory.forget(known, assigned.Names, began)
	in.Rollback = k.memory.rollback()
	in.Images, in.Layers = k.withLayers(info, images)
	in.Containers = containersOf(containers, in.Now)
	if err := k.memory.save(k.Root); err != nil {
		// A full disk may be why, and is what all of this is about.
		k.Log.Warn("uses of images not remembered", zap.Error(err))
	}
	return in, nil
}

// noteContainers remembers which images are in use, and with which one each
// container of dockhost is ready. The caller holds mu.
func (k *Keeper) noteContainers(containers []engine.StoredContainer, names []string, now time.Time) {
	images := map[string]string{}
	for _, c := range containers {
		images[c.ID] = c.ImageID
		r := k.memory.of(c.ImageID, now)
		if used := now.Add(-c.EndedFor); used.After(r.Used) && (!c.Ended || c.EndedFor > 0) {
			r.Used = used
		}
	}
	for _, name := range names {
		state, err := k.Dir.State(name)
		if image := images[state.ContainerID]; err == nil && state.Ready && image != "" {
			k.memory.noteReady(name, state.ContainerID, image)
		}
	}
}

// noteUses remembers the uses that Docker told of. The caller holds mu.
func (k *Keeper) noteUses(images []engine.StoredImage, now time.Time) {
	for i := range images {
		r := k.memory.of(images[i].ID, now)
		note := func(at time.Time) {
			if at.After(r.Used) && !at.After(now) {
				r.Used = at
			}
		}
		for _, ref := range slices.Concat(images[i].Tags, images[i].Digests) {
			note(k.uses[normalize(ref)])
		}
		for ref, at := range k.uses {
			if isIDOf(ref, images[i].ID) {
				note(at)
			}
		}
	}
	clear(k.uses)
}

// withLayers are the images with what is known of their layers. Where that does
// not add up to what the Engine says, an image counts as one layer of its own.
// The caller holds mu.
func (k *Keeper) withLayers(info engine.Info, stored []engine.StoredImage) ([]Image, map[string]int64) {
	files := engine.NewLayerFiles(info)
	sizes := map[string]int64{}
	images := make([]Image, 0, len(stored))
	for _, s := range stored {
		r := k.memory.Images[s.ID]
		image := Image{
			ID: s.ID, Parent: s.Parent, Tags: s.Tags, Digests: s.Digests, Labels: s.Labels, Size: s.Size,
			Arrived: r.Seen, LastUsed: r.Used, Managed: k.memory.managed(s.ID), Pulled: r.Pulled,
		}
		keys, arrived, ok := layersOf(files, s)
		if !ok {
			keys = []string{"of " + s.ID}
			sizes[keys[0]] = s.Size - max(s.Shared, 0)
		}
		image.Layers = keys
		if !arrived.IsZero() && arrived.Before(image.Arrived) {
			image.Arrived = arrived
		}
		images = append(images, image)
	}
	if files != nil {
		maps.Copy(sizes, files.Sizes())
	}
	return images, sizes
}

// layersOf returns the layers of an image, and false where they are not known.
func layersOf(files *engine.LayerFiles, s engine.StoredImage) (keys []string, arrived time.Time, ok bool) {
	if files == nil {
		return nil, time.Time{}, false
	}
	keys, arrived, err := files.Layers(s.ID)
	if err != nil {
		return nil, time.Time{}, false
	}
	var sum int64
	for _, key := range keys {
		sum += files.Sizes()[key]
	}
	return keys, arrived, sum == s.Size
}

func containersOf(stored []engine.StoredContainer, now time.Time) []Container {
	containers := make([]Container, 0, len(stored))
	for _, s := range stored {
		c := Container{ID: s.ID, Name: s.Name, ImageID: s.ImageID, Managed: s.Labels[unitLabel] != ""}
		if s.Ended {
			c.Ended = now.Add(-s.EndedFor)
		}
		containers = append(containers, c)
	}
	return containers
}

// preloaded are the images that the host's image was baked with.
func (k *Keeper) preloaded() map[string]bool {
	ids := map[string]bool{}
	raw, err := os.ReadFile(filepath.Join(k.Root, preloadedPath))
	var list struct {
		Images []struct {
			ID string `json:"id"`
		} `json:"images"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &list)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.Log.Warn("preloaded images are not known", zap.Error(fmt.Errorf("read %s: %w", preloadedPath, err)))
	}
	for _, image := range list.Images {
		ids[image.ID] = true
	}
	return ids
}

// holdsOf are the five largest things on the disk.
func (k *Keeper) holdsOf(ctx context.Context, root string) []api.GCHold {
	usage, err := k.Docker.Usage(ctx)
	if err != nil {
		k.Log.Warn("what fills the disk is known in part", zap.Error(err))
	}
	var holds []api.GCHold
	var known int64
	add := func(what string, bytes int64, cure string) {
		known += bytes
		if bytes > 0 {
			holds = append(holds, api.GCHold{What: what, Bytes: bytes, Cure: cure})
		}
	}
	add("images", usage.Layers, "see: dockhostctl gc --dry-run")
	add("build cache", usage.Cache, "run: docker builder prune")
	for name, size := range usage.Containers {
		add("what container "+name+" wrote into its own file system", size, "see: docker diff "+name+"; mount a volume there, or make it anew")
	}
	for name, size := range usage.Volumes {
		add("volume "+name, size, "see: docker volume inspect "+name)
	}
	for name, size := range k.logs(ctx, root) {
		add("the log of container "+name, size, "set max-size in its logging.options, or log-opts in /etc/docker/daemon.json")
	}
	if disk, err := k.Statfs(root); err == nil {
		add("other files on the file system of "+root, max(disk.Used-known, 0), "see: du -xh --max-depth=2 "+root+" (and the whole file system)")
	}
	slices.SortFunc(holds, func(a, b api.GCHold) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.What, b.What))
	})
	return holds[:min(5, len(holds))]
}

// logs are the sizes of containers' logs that lie below Docker's root, by the
// container's name.
func (k *Keeper) logs(ctx context.Context, root string) map[string]int64 {
	names := map[string]string{}
	if containers, err := k.Docker.Containers(ctx); err == nil {
		for _, c := range containers {
			names[c.ID] = c.Name
		}
	}
	sizes := map[string]int64{}
	for id, name := range names {
		files, _ := filepath.Glob(filepath.Join(root, "containers", id, "*-json.log*"))
		local, _ := filepath.Glob(filepath.Join(root, "containers", id, "local-logs", "*"))
		for _, file := range slices.Concat(files, local) {
			if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
				sizes[name] += info.Size()
			}
		}
	}
	return sizes
}
