package engine

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/build"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/volume"
)

// StoredImage is an image in the Engine's store, as a list tells it.
type StoredImage struct {
	ID string
	// Parent is the image that it was built on, on this host; "" for others.
	Parent string
	// Tags and Digests are its references; both are empty where it has none.
	Tags, Digests []string
	Labels        map[string]string
	// Size is that of all layers, Shared that of the layers that another image
	// has, too, or -1 where that was not asked for.
	Size, Shared int64
	Created      time.Time
}

// Images lists the images. With shared, the Engine computes which bytes they
// share, which Docker 23 and later do, and which takes it a while.
func (c *Client) Images(ctx context.Context, shared bool) ([]StoredImage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.ImageList(ctx, image.ListOptions{SharedSize: shared})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", translate(err))
	}
	images := make([]StoredImage, 0, len(found))
	for _, f := range found {
		images = append(images, StoredImage{
			ID: f.ID, Parent: f.ParentID, Tags: references(f.RepoTags), Digests: references(f.RepoDigests), Labels: f.Labels,
			Size: f.Size, Shared: f.SharedSize, Created: time.Unix(f.Created, 0),
		})
	}
	return images, nil
}

// references leaves out what Docker before 25 has in place of none.
func references(refs []string) []string {
	return slices.DeleteFunc(slices.Clone(refs), func(ref string) bool { return strings.HasPrefix(ref, "<none>") })
}

// StoredContainer is a container, running or not, as a list tells it.
type StoredContainer struct {
	ID, Name, ImageID string
	Labels            map[string]string
	// Ended says that it ran and runs no more, EndedFor for how long at least.
	Ended    bool
	EndedFor time.Duration
}

// Containers lists all containers.
func (c *Client) Containers(ctx context.Context) ([]StoredContainer, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", translate(err))
	}
	containers := make([]StoredContainer, 0, len(found))
	for _, f := range found {
		made := StoredContainer{ID: f.ID, ImageID: f.ImageID, Labels: f.Labels}
		if len(f.Names) > 0 {
			made.Name = trimName(f.Names[0])
		}
		if f.State == container.StateExited || f.State == container.StateDead {
			made.Ended, made.EndedFor = true, endedFor(f.Status)
		}
		containers = append(containers, made)
	}
	return containers, nil
}

// ended is a list's sentence about a container that has: "Exited (0) 3 hours
// ago". A list has no other word on when that was, and the sentence has been
// made by go-units since 2015.
var ended = regexp.MustCompile(`\) (About an?|\d+) (second|minute|hour|day|week|month|year)s? ago$`)

// endedFor is how long ago that was at least, 0 where it is not told. go-units
// rounds hours, and cuts off all else.
func endedFor(status string) time.Duration {
	match := ended.FindStringSubmatch(status)
	if match == nil {
		return 0
	}
	n, err := strconv.Atoi(match[1])
	if err != nil {
		n = 1 // "About an hour", which is one at least
	}
	const day = 24 * time.Hour
	unit := map[string]time.Duration{
		"second": time.Second, "minute": time.Minute, "hour": time.Hour, "day": day, "week": 7 * day, "month": 30 * day, "year": 365 * day,
	}[match[2]]
	age := unit * time.Duration(n)
	if match[2] == "hour" {
		age = max(age-30*time.Minute, time.Hour)
	}
	return age
}

// RemoveImage removes an image, or one of its tags, and is never forced: the
// error is [ErrConflict] where a container uses it, or where several repositories
// name it and ref is its ID. One that is not there is no error.
func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.api.ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	if err = translate(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove image %q: %w", ref, err)
	}
	return nil
}

// RemoveEnded removes a container that does not run, and its anonymous volumes.
// The error is [ErrConflict] where it does.
func (c *Client) RemoveEnded(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := translate(c.api.ContainerRemove(ctx, id, container.RemoveOptions{RemoveVolumes: true}))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove container %s: %w", id, err)
	}
	return nil
}

// PruneBuildCache removes build cache that nothing uses and that was not used for
// so long, and returns how many bytes it had.
func (c *Client) PruneBuildCache(ctx context.Context, unused time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	report, err := c.api.BuildCachePrune(ctx, build.CachePruneOptions{All: true, Filters: filters.NewArgs(filters.Arg("until", unused.String()))})
	if err != nil {
		return 0, fmt.Errorf("remove build cache: %w", translate(err))
	}
	return int64(report.SpaceReclaimed), nil //nolint:gosec // far below 2^63
}

// PruneNetworks removes networks that no container uses and that were made so
// long ago, and returns their names.
func (c *Client) PruneNetworks(ctx context.Context, age time.Duration) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	report, err := c.api.NetworksPrune(ctx, filters.NewArgs(filters.Arg("until", age.String())))
	if err != nil {
		return nil, fmt.Errorf("remove networks: %w", translate(err))
	}
	return report.NetworksDeleted, nil
}

// anonymous is the name of a volume that nobody named.
var anonymous = regexp.MustCompile(`^[0-9a-f]{64}$`)

// PruneVolumes removes anonymous volumes that no container has, and returns
// their names. One that somebody named stays: Docker's own prune, before 23,
// would take it.
func (c *Client) PruneVolumes(ctx context.Context) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("dangling", "true"), filters.Arg("driver", "local"))})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", translate(err))
	}
	var removed []string
	var errs []error
	for _, v := range found.Volumes {
		if !anonymous.MatchString(v.Name) {
			continue
		}
		err := translate(c.api.VolumeRemove(ctx, v.Name, false))
		switch {
		case err == nil:
			removed = append(removed, v.Name)
		case !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNotFound):
			errs = append(errs, fmt.Errorf("remove volume %s: %w", v.Name, err))
		}
	}
	return removed, errors.Join(errs...)
}

// Usage is what the Engine's things take on its disk, in bytes.
type Usage struct {
	// Layers are those of all images, Cache is build cache.
	Layers, Cache int64
	// Containers are what containers wrote into their own file systems, and
	// Volumes what lies in volumes, by name.
	Containers, Volumes map[string]int64
}

// Usage asks what takes how much. The Engine walks through all that containers
// and volumes hold: this may take minutes.
func (c *Client) Usage(ctx context.Context) (Usage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.DiskUsage(ctx, types.DiskUsageOptions{})
	if err != nil {
		return Usage{}, fmt.Errorf("ask Docker what takes its disk: %w", translate(err))
	}
	usage := Usage{Layers: found.LayersSize, Containers: map[string]int64{}, Volumes: map[string]int64{}}
	for _, one := range found.Containers {
		if len(one.Names) > 0 {
			usage.Containers[trimName(one.Names[0])] = one.SizeRw
		}
	}
	for _, one := range found.Volumes {
		if one.UsageData != nil {
			usage.Volumes[one.Name] = max(one.UsageData.Size, 0)
		}
	}
	for _, one := range found.BuildCache {
		if !one.Shared {
			usage.Cache += one.Size
		}
	}
	return usage, nil
}

// Use is a use of an image by a container: it began or ended.
type Use struct {
	// Image is the reference or ID that the container was made of.
	Image string
	At    time.Time
}

// Uses tells of uses of images, also of those since a time that the Engine still
// knows of, until ctx ends or the Engine goes away; then the channel is closed.
func (c *Client) Uses(ctx context.Context, since time.Time) <-chan Use {
	args := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("event", "start"), filters.Arg("event", "die"))
	options := events.ListOptions{Filters: args}
	if !since.IsZero() {
		options.Since = fmt.Sprintf("%d.%09d", since.Unix(), since.Nanosecond())
	}
	messages, errs := c.api.Events(ctx, options)
	out := make(chan Use)
	go func() {
		defer close(out)
		for {
			select {
			case m := <-messages:
				select {
				case out <- Use{Image: m.Actor.Attributes["image"], At: time.Unix(0, m.TimeNano)}:
				case <-ctx.Done():
					return
				}
			case <-errs: //nolint:errcheck // the end is told by closing; whoever asks again is told why
				return
			}
		}
	}()
	return out
}
