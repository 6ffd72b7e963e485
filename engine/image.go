package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
)

// Image is an image that the host has.
type Image struct {
	// ID identifies the content.
	ID string
	// Digest is the registry's digest ("sha256:..."), or the ID of an image
	// that came from no registry.
	Digest string
	// Healthcheck says whether the image has a HEALTHCHECK of its own.
	Healthcheck bool
}

// Image returns what the host has under ref. The error is [ErrNotFound] when
// it has nothing.
func (c *Client) Image(ctx context.Context, ref string) (Image, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	found, err := c.api.ImageInspect(ctx, ref)
	if err != nil {
		return Image{}, fmt.Errorf("inspect image %q: %w", ref, translate(err))
	}
	return imageFrom(ref, found), nil
}

func imageFrom(ref string, found image.InspectResponse) Image {
	img := Image{ID: found.ID, Digest: repoDigest(ref, found.RepoDigests, found.ID)}
	if found.Config != nil && found.Config.Healthcheck != nil {
		test := found.Config.Healthcheck.Test
		img.Healthcheck = len(test) > 0 && test[0] != "NONE"
	}
	return img
}

// repoDigest picks the digest that the image has in the repository of ref:
// one image may have been pulled from several.
func repoDigest(ref string, repoDigests []string, id string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return id
	}
	for _, candidate := range repoDigests {
		repo, digest, found := strings.Cut(candidate, "@")
		if !found {
			continue
		}
		if other, err := reference.ParseNormalizedNamed(repo); err == nil && other.Name() == named.Name() {
			return digest
		}
	}
	return id
}

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
