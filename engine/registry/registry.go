// Package registry asks an image's registry for the image's size before the Engine
// pulls it, and for the digest that a tag has now. The Engine's API reports sizes only
// during the pull, and digests only without its mirrors. It downloads no layers and
// changes nothing.
package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"runtime"
	"time"

	"github.com/distribution/reference"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	remotetransport "github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/dockhost/dockhost/engine"
)

const (
	// timeout bounds all requests for one image, including those to mirrors.
	timeout = 10 * time.Second
	// maxImages is the most images that an index may have. Usual ones have one for each
	// platform, and one more with what is attested about it.
	maxImages = 1000
)

// Registries queries registries in the same way as the Engine: mirrors first, through
// the Engine's proxies, with its certificates (/etc/docker/certs.d) and the logins
// of its client.
type Registries struct {
	Engine *engine.Client
}

// PullSize returns how many bytes a pull of an image would download: the size of the
// compressed layers that the Engine lacks. platform is "os/arch[/variant]", or "" for
// this host's.
func (r Registries) PullSize(ctx context.Context, ref, platform string) (int64, error) {
	wanted, err := v1.ParsePlatform(cmp.Or(platform, "linux/"+runtime.GOARCH))
	if err != nil {
		return 0, fmt.Errorf("ask the registry for the size of %q: %w", ref, err)
	}
	var info engine.Info
	image, err := ask(ctx, r, ref, func(at name.Reference, options []remote.Option, i engine.Info) (image, error) {
		info = i
		return layers(at, append(options, remote.WithPlatform(*wanted)))
	})
	if err != nil {
		return 0, fmt.Errorf("ask the registry for the size of %q: %w", ref, err)
	}
	present, err := r.present(ctx, info, image)
	if err != nil {
		return 0, fmt.Errorf("find the layers of %q that Docker has: %w", ref, err)
	}
	return image.size(present), nil
}

// Digest returns the digest that an image's tag has in its registry now. An error has a
// method RetryAfter() time.Duration, if the registry has said when to ask again.
func (r Registries) Digest(ctx context.Context, ref string) (string, error) {
	digest, err := ask(ctx, r, ref, func(at name.Reference, options []remote.Option, _ engine.Info) (string, error) {
		found, err := remote.Head(at, options...)
		if err != nil {
			return "", err
		}
		return found.Digest.String(), nil
	})
	if err != nil {
		return "", fmt.Errorf("ask the registry for the digest of %q: %w", ref, err)
	}
	return digest, nil
}

// image has the layers of an image in a registry, from the lowest.
type image struct {
	sizes   []int64
	diffIDs []string
}

// size returns the size of the layers without the lowest ones, at most [maxLayer].
func (i image) size(without int) (sum int64) {
	for _, size := range i.sizes[without:] {
		sum = min(sum+size, maxLayer)
	}
	return sum
}

// present returns how many of an image's layers the Engine has, counted from the lowest.
func (r Registries) present(ctx context.Context, info engine.Info, i image) (int, error) {
	if files := engine.NewLayerFiles(info); files != nil {
		return files.Has(i.diffIDs), nil
	}
	if !info.Snapshotter {
		return 0, nil // another host's files
	}
	return r.Engine.HasLayers(ctx, i.diffIDs)
}

// ask returns the answer of the first endpoint that has one about an image.
func ask[T any](ctx context.Context, r Registries, ref string, question func(name.Reference, []remote.Option, engine.Info) (T, error)) (answer T, err error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return answer, err
	}
	named = reference.TagNameOnly(named)
	info, err := r.Engine.Info(ctx)
	if err != nil {
		return answer, err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	endpoints, err := endpoints(ctx, reference.Domain(named), info, certsDir)
	if err != nil {
		return answer, err
	}
	login, err := r.login(ctx, named)
	if err != nil {
		return answer, err
	}
	var errs []error
	for _, endpoint := range endpoints {
		auth := login
		if endpoint.mirror {
			auth = authn.Anonymous // the login is for another host
		}
		at, err := referenceAt(endpoint.url, named)
		if err == nil {
			patience := &patience{next: capped{transport(endpoint, info)}}
			options := []remote.Option{
				remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(patience), remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
			}
			if answer, err = question(at, options, info); err == nil {
				return answer, nil
			}
			err = patience.explain(err)
		}
		errs = append(errs, err)
	}
	return answer, errors.Join(errs...)
}

// login returns the login for an image's registry.
func (r Registries) login(ctx context.Context, named reference.Named) (authn.Authenticator, error) {
	login, err := r.Engine.Login(ctx, named)
	if err != nil {
		return nil, err
	}
	return authn.FromConfig(authn.AuthConfig{
		Username: login.Username, Password: login.Password, Auth: login.Auth,
		IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken,
	}), nil
}

// layers returns the layers of an image. A manifest that contradicts itself or the
// configuration is not trusted.
func layers(at name.Reference, options []remote.Option) (image, error) {
	remoteImage, err := find(at, options)
	if err != nil {
		return image{}, err
	}
	manifest, err := remoteImage.Manifest()
	if err != nil {
		return image{}, err
	}
	if size := manifest.Config.Size; size < 0 || size > maxAnswer {
		return image{}, fmt.Errorf("%w: the image's configuration has %d bytes, and may have 0 to %d", engine.ErrUntrusted, size, maxAnswer)
	}
	var i image
	for n, layer := range manifest.Layers {
		if layer.Size < 0 || layer.Size > maxLayer {
			return image{}, fmt.Errorf("%w: layer %d of the image has %d bytes, and may have 0 to %d", engine.ErrUntrusted, n+1, layer.Size, int64(maxLayer))
		}
		i.sizes = append(i.sizes, layer.Size)
	}
	if _, err := remoteImage.RawConfigFile(); err != nil {
		return image{}, distrust(err)
	}
	config, err := remoteImage.ConfigFile()
	if err != nil {
		return image{}, err
	}
	if sizes, ids := len(i.sizes), len(config.RootFS.DiffIDs); sizes != ids {
		return image{}, fmt.Errorf("%w: the image's manifest has %d layers and its configuration %d, but an image has the same number in both", engine.ErrUntrusted, sizes, ids)
	}
	for _, id := range config.RootFS.DiffIDs {
		i.diffIDs = append(i.diffIDs, id.String())
	}
	return i, nil
}

// distrust returns the error for a configuration that could not be read. Unless the registry
// or the network is in trouble, it is longer or has another digest than the manifest says, and
// the Engine would read it to its end before it notices.
func distrust(err error) error {
	_, isAnswer := errors.AsType[*remotetransport.Error](err)
	if isAnswer || TroubleOf(err) != TroubleOther || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", engine.ErrUntrusted, err)
}

// find returns the image of the platform in the options. The Engine tries each image of an
// index that has the platform, so an index of very many is not trusted.
func find(at name.Reference, options []remote.Option) (v1.Image, error) {
	found, err := remote.Get(at, options...)
	if err != nil {
		return nil, err
	}
	if found.MediaType.IsIndex() {
		index, err := found.ImageIndex()
		if err != nil {
			return nil, err
		}
		list, err := index.IndexManifest()
		if err != nil {
			return nil, err
		}
		if n := len(list.Manifests); n > maxImages {
			return nil, fmt.Errorf("%w: its index has %d images, and may have %d", engine.ErrUntrusted, n, maxImages)
		}
	}
	return found.Image()
}

// referenceAt returns the image's reference at an endpoint.
func referenceAt(at *url.URL, named reference.Named) (name.Reference, error) {
	options := []name.Option{name.StrictValidation}
	if at.Scheme == "http" {
		options = append(options, name.Insecure)
	}
	path := at.Host + "/" + reference.Path(named)
	if digested, ok := named.(reference.Digested); ok {
		return name.NewDigest(path+"@"+digested.Digest().String(), options...)
	}
	tagged, ok := named.(reference.Tagged)
	if !ok {
		return nil, fmt.Errorf("%s has no tag", named)
	}
	return name.NewTag(path+":"+tagged.Tag(), options...)
}
