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
	"github.com/dockhost/dockhost/internal/regular"
)

// preloadedPath lists the images that were baked into the host's image.
// packaging/bake writes it.
const preloadedPath = "/var/lib/dockhost/preloaded.json"

// unitLabel is on each container that a supervisor created.
const unitLabel = "dockhost.unit"

// engineState is what Docker reports, and how full its disk is.
type engineState struct {
	info       engine.Info
	images     []engine.StoredImage
	containers []engine.StoredContainer
	disk       Disk
}

// askEngine asks Docker three times, however many images there are.
func (k *Keeper) askEngine(ctx context.Context) (s engineState, err error) {
	if s.info, err = k.Docker.Info(ctx); err != nil {
		return s, err
	}
	if s.images, err = k.Docker.Images(ctx, s.info.Snapshotter); err != nil {
		return s, err
	}
	if s.containers, err = k.Docker.Containers(ctx); err != nil {
		return s, err
	}
	s.disk, err = k.Statfs(s.info.ImageRoot)
	return s, err
}

// gather returns what a plan is made from. It also updates the memory, and saves it.
func (k *Keeper) gather(ctx context.Context) (Input, error) {
	began := k.Now()
	state, err := k.askEngine(ctx)
	if err != nil {
		return Input{}, err
	}
	claimed, pulled, err := k.Dir.Claims()
	if err != nil {
		return Input{}, err
	}
	k.setRoots(rootsOf(state.info))
	assigned := k.Assigned()
	in := Input{Now: k.Now(), Assigned: assigned.Images, Preloaded: k.preloaded(), Disk: state.disk}
	in.Need = in.Disk.need(claimed)
	for _, claim := range claimed {
		in.Claimed = append(in.Claimed, claim.Ref)
	}

	k.mu.Lock()
	defer k.mu.Unlock()
	k.memory.notePulled(pulled, in.Now)
	k.noteContainers(state.containers, assigned.Names, in.Now)
	k.noteImages(state.images, assigned.Names, began, in.Now)
	in.Rollback = k.memory.rollback()
	in.Images, in.Layers = k.withLayers(state.info, state.images)
	in.Containers = containersOf(state.containers, in.Now)
	if err := k.memory.save(k.Root); err != nil {
		// The disk may be full, which this run is about to end.
		k.Log.Warn("uses of images not remembered", zap.Error(err))
	}
	return in, nil
}

// noteImages remembers all images, and forgets those that are gone, and containers
// that are not among names. The caller holds mu.
func (k *Keeper) noteImages(images []engine.StoredImage, names []string, began, now time.Time) {
	k.noteUses(images, now)
	known := map[string]bool{}
	for _, image := range images {
		known[image.ID] = true
		k.memory.of(image.ID, now)
	}
	k.memory.forget(known, names, began)
}

// noteContainers remembers which images are in use, and with which image each assigned
// container is ready. The caller holds mu.
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

// noteUses remembers the uses that Docker reported. The caller holds mu.
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

// withLayers returns the images with their layers. If the sizes of the layers do not
// add up to Docker's size of the image, the image counts as a single layer. The caller
// holds mu.
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
		keys, arrived, known := layersOf(files, s)
		if !known {
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

// layersOf returns the layers of an image, if they are known, and when it arrived.
func layersOf(files *engine.LayerFiles, s engine.StoredImage) (keys []string, arrived time.Time, known bool) {
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

// preloaded returns the IDs of the images that were baked into the host's image.
func (k *Keeper) preloaded() map[string]bool {
	ids := map[string]bool{}
	raw, err := regular.Follow(filepath.Join(k.Root, preloadedPath), regular.State)
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

// holdsOf returns the five largest things on the file system of a root.
func (k *Keeper) holdsOf(ctx context.Context, root string) []api.GCHold {
	known := k.knownRoots()
	hasImages, hasData := k.sameDisk(root, known.images), k.sameDisk(root, known.data)
	usage, err := k.Docker.Usage(ctx)
	if err != nil {
		k.Log.Warn("what fills the disk is known in part", zap.Error(err))
	}
	var holds []api.GCHold
	var sum int64
	add := func(isHere bool, what string, bytes int64, cure string) {
		if !isHere {
			return
		}
		sum += bytes
		if bytes > 0 {
			holds = append(holds, api.GCHold{What: what, Bytes: bytes, Cure: cure})
		}
	}
	add(hasImages, "images", usage.Layers, "see: dockhostctl gc --dry-run")
	add(hasImages, "build cache", usage.Cache, "run: docker builder prune")
	for name, size := range usage.Containers {
		add(hasImages, "what container "+name+" wrote into its own file system", size, "see: docker diff "+name+"; mount a volume there, or create it again")
	}
	for name, size := range usage.Volumes {
		add(hasData, "volume "+name, size, "see: docker volume inspect "+name)
	}
	for name, size := range k.logs(ctx, known.data) {
		add(hasData, "the log of container "+name, size, "set max-size in its logging.options, or log-opts in /etc/docker/daemon.json")
	}
	if disk, err := k.Statfs(root); err == nil {
		add(true, "other files on the file system of "+root, max(disk.Used-sum, 0), "see: du -xh --max-depth=2 "+root+" (and the whole file system)")
	}
	slices.SortFunc(holds, func(a, b api.GCHold) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.What, b.What))
	})
	return holds[:min(5, len(holds))]
}

// logs returns the sizes of the logs below Docker's root, by the container's name.
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
