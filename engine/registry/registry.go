// Package registry asks an image's registry how large the image is, before the
// Engine pulls it: the Engine's API tells sizes of what has begun to arrive.
package registry

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"time"

	"github.com/distribution/reference"
	docker "github.com/docker/docker/registry"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/net/http/httpproxy"

	"github.com/dockhost/dockhost/engine"
)

// timeout bounds the asking, of mirrors and all.
const timeout = 10 * time.Second

// Registries asks as the Engine would: its mirrors first, by its proxies, with
// its certificates (/etc/docker/certs.d), and as who its client logs in.
type Registries struct {
	Engine *engine.Client
}

// PullSize returns how many bytes a pull of an image would download: the
// compressed layers that the Engine has not got. Platform is
// "os/arch[/variant]", or "" for this host's.
func (r Registries) PullSize(ctx context.Context, ref, platform string) (int64, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return 0, fmt.Errorf("ask how large %q is: %w", ref, err)
	}
	named = reference.TagNameOnly(named)
	info, err := r.Engine.Info(ctx)
	if err != nil {
		return 0, err
	}
	image, err := r.ask(ctx, named, platform, info)
	if err != nil {
		return 0, fmt.Errorf("ask how large %q is: %w", ref, err)
	}
	return image.missing(engine.NewLayerFiles(info)), nil
}

// image is what a registry says of one: the layers from the lowest.
type image struct {
	sizes   []int64
	diffIDs []string
}

// missing is the size of the layers that are not among those files.
func (i image) missing(files *engine.LayerFiles) (sum int64) {
	here := 0
	if files != nil && len(i.diffIDs) == len(i.sizes) {
		here = files.Has(i.diffIDs)
	}
	for _, size := range i.sizes[here:] {
		sum += size
	}
	return sum
}

// ask takes the answer of the first that has one.
func (r Registries) ask(ctx context.Context, named reference.Named, platform string, info engine.Info) (image, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	host := reference.Domain(named)
	service, err := docker.NewService(docker.ServiceOptions{Mirrors: info.Mirrors, InsecureRegistries: info.InsecureRegistries})
	if err != nil {
		return image{}, err
	}
	endpoints, err := service.LookupPullEndpoints(host)
	if err != nil {
		return image{}, err
	}
	login, err := r.Engine.Login(ctx, named)
	if err != nil {
		return image{}, err
	}
	var errs []error
	for _, endpoint := range endpoints {
		auth := authn.FromConfig(authn.AuthConfig{
			Username: login.Username, Password: login.Password, Auth: login.Auth,
			IdentityToken: login.IdentityToken, RegistryToken: login.RegistryToken,
		})
		if endpoint.Mirror {
			auth = authn.Anonymous // the login is for another host
		}
		found, err := askOne(ctx, endpoint, named, platform, info, auth)
		if err == nil {
			return found, nil
		}
		errs = append(errs, err)
	}
	return image{}, errors.Join(errs...)
}

func askOne(ctx context.Context, endpoint docker.APIEndpoint, named reference.Named, platform string, info engine.Info, auth authn.Authenticator) (image, error) {
	ref, err := referenceAt(endpoint.URL, named)
	if err != nil {
		return image{}, err
	}
	proxy := httpproxy.Config{HTTPProxy: info.HTTPProxy, HTTPSProxy: info.HTTPSProxy, NoProxy: info.NoProxy}
	by := proxy.ProxyFunc()
	transport := &http.Transport{
		TLSClientConfig: endpoint.TLSConfig, DisableKeepAlives: true, TLSHandshakeTimeout: timeout,
		Proxy:       func(r *http.Request) (*url.URL, error) { return by(r.URL) },
		DialContext: (&net.Dialer{Timeout: timeout / 3}).DialContext,
	}
	options := []remote.Option{
		remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(transport),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}),
	}
	wanted, err := v1.ParsePlatform(cmp.Or(platform, "linux/"+runtime.GOARCH))
	if err != nil {
		return image{}, err
	}
	options = append(options, remote.WithPlatform(*wanted))
	found, err := remote.Image(ref, options...)
	if err != nil {
		return image{}, err
	}
	manifest, err := found.Manifest()
	if err != nil {
		return image{}, err
	}
	config, err := found.ConfigFile()
	if err != nil {
		return image{}, err
	}
	var i image
	for _, layer := range manifest.Layers {
		i.sizes = append(i.sizes, layer.Size)
	}
	for _, id := range config.RootFS.DiffIDs {
		i.diffIDs = append(i.diffIDs, id.String())
	}
	return i, nil
}

// referenceAt is the image as that endpoint has it.
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
