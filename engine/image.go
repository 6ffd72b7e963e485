package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

// Image is an image on the host.
type Image struct {
	// ID identifies the content.
	ID string
	// Digest is the registry's digest ("sha256:..."), or the ID if the image did not
	// come from a registry.
	Digest string
	// Platform is "OS/ARCHITECTURE", such as "linux/arm64"; "" if the image does not
	// name it.
	Platform string
	// Digests are all digests of the image in the repository of the reference: several
	// indexes may name it.
	Digests []string
	// Healthcheck says whether the image defines a HEALTHCHECK, and Health is it.
	Healthcheck bool
	Health      *container.HealthConfig
	// Volumes are the paths of the image's VOLUME, sorted.
	Volumes []string
	// Layers are the digests of the contents of its layers, from the lowest.
	Layers []string
}

// Image returns the image with a reference. The error is [ErrNotFound] if the host
// lacks it.
func (c *Client) Image(ctx context.Context, ref string) (Image, error) {
	return c.ImageOf(ctx, ref, ref)
}

// ImageOf returns the image with a reference or an ID, and its digests in the repository
// of another reference.
func (c *Client) ImageOf(ctx context.Context, name, ref string) (Image, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	response, err := c.api().ImageInspect(ctx, name)
	if err != nil {
		return Image{}, fmt.Errorf("inspect image %q: %w", name, translate(err))
	}
	return imageFrom(ref, response), nil
}

func imageFrom(ref string, response image.InspectResponse) Image {
	img := Image{ID: response.ID, Digest: response.ID, Digests: repoDigests(ref, response.RepoDigests), Volumes: imageVolumes(response), Layers: response.RootFS.Layers}
	if len(img.Digests) > 0 {
		img.Digest = img.Digests[0]
	}
	if response.Os != "" && response.Architecture != "" {
		img.Platform = response.Os + "/" + response.Architecture
	}
	if response.Config != nil && response.Config.Healthcheck != nil {
		test := response.Config.Healthcheck.Test
		img.Healthcheck, img.Health = len(test) > 0 && test[0] != "NONE", response.Config.Healthcheck
	}
	return img
}

// repoDigests returns the image's digests in the repository of ref, that of ref itself
// first. An image may have been pulled from several repositories.
func repoDigests(ref string, all []string) []string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil
	}
	var digests []string
	for _, candidate := range all {
		repo, digest, found := strings.Cut(candidate, "@")
		if !found {
			continue
		}
		if other, err := reference.ParseNormalizedNamed(repo); err == nil && other.Name() == named.Name() {
			digests = append(digests, digest)
		}
	}
	if digested, ok := named.(reference.Digested); ok {
		slices.SortStableFunc(digests, func(a, b string) int {
			return cmp.Compare(rank(a, digested), rank(b, digested))
		})
	}
	return digests
}

// rank is 0 for the digest of a reference, and 1 for all others.
func rank(digest string, of reference.Digested) int {
	if digest == of.Digest().String() {
		return 0
	}
	return 1
}

// StoredImage is an image in a list of all.
type StoredImage struct {
	ID string
	// Parent is the image from which it was built on this host, "" if it was not.
	Parent string
	// Tags and Digests are its references. Both are empty without any.
	Tags, Digests []string
	Labels        map[string]string
	// Size is the size of all layers in bytes. Shared is the size of the layers that
	// another image has, too, or -1 if it was not requested.
	Size, Shared int64
	Created      time.Time
}

// Images lists the images. With shared, the Engine also computes how much they share,
// which takes a while and needs Docker 23 or later.
func (c *Client) Images(ctx context.Context, shared bool) ([]StoredImage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	summaries, err := c.api().ImageList(ctx, image.ListOptions{SharedSize: shared})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", translate(err))
	}
	images := make([]StoredImage, 0, len(summaries))
	for _, s := range summaries {
		images = append(images, StoredImage{
			ID: s.ID, Parent: s.ParentID, Tags: references(s.RepoTags), Digests: references(s.RepoDigests), Labels: s.Labels,
			Size: s.Size, Shared: s.SharedSize, Created: time.Unix(s.Created, 0),
		})
	}
	return images, nil
}

// references drops the placeholder <none>, which Docker before 25 lists.
func references(refs []string) []string {
	return slices.DeleteFunc(slices.Clone(refs), func(ref string) bool { return strings.HasPrefix(ref, "<none>") })
}

// RemoveImage removes an image, or one of its tags, without force. The error is
// [ErrConflict] if a container uses the image, or if ref is its ID and several
// repositories name it. It is not an error if the image does not exist.
func (c *Client) RemoveImage(ctx context.Context, ref string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.api().ImageRemove(ctx, ref, image.RemoveOptions{PruneChildren: true})
	if err = translate(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("remove image %q: %w", ref, err)
	}
	return nil
}

// Tag gives an image another name, REPOSITORY:TAG. An image that had the name loses it.
func (c *Client) Tag(ctx context.Context, id, name string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	if err := c.api().ImageTag(ctx, id, name); err != nil {
		return fmt.Errorf("tag image %q as %q: %w", id, name, translate(err))
	}
	return nil
}
