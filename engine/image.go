package engine

import (
	"context"
	"fmt"
	"strings"

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
