// Package registry asks an image's registry for the image's size before the Engine
// pulls it. The Engine's API reports sizes only during the pull. It downloads no
// layers and changes nothing.
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

// timeout bounds all requests for one image, including those to mirrors.
const timeout = 10 * time.Second

// Registries queries registries in the same way as the Engine: mirrors first, through
// the Engine's proxies, with its certificates (/etc/docker/certs.d) and the logins
// of its client.
type Registries struct {
	Engine *engine.Client
}

// Download returns how many bytes a pull of an image would download: the size of the
// compressed layers that the Engine lacks. platform is "os/arch[/variant]", or "" for
// this host's.
func (r Registries) Download(ctx context.Context, ref, platform string) (int64, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return 0, fmt.Errorf("ask the registry for the size of %q: %w", ref, err)
	}
	named = reference.TagNameOnly(named)
	info, err := r.Engine.Info(ctx)
	if err != nil {
		return 0, err
	}
	image, err := r.ask(ctx, named, platform, info)
	if err != nil {
		return 0, fmt.Errorf("ask the registry for the size of %q: %w", ref, err)
	}
	return image.missing(engine.NewLayerFiles(info)), nil
}

// image has the layers of an image in a registry, from the lowest.
type image struct {
	sizes   []int64
	diffIDs []string
}

// missing returns the size of the layers that the Engine lacks.
func (i image) missing(files *engine.LayerFiles) (sum int64) {
	present := 0
	if files != nil && len(i.diffIDs) == len(i.sizes) {
		present = files.Has(i.diffIDs)
	}
	for _, size := range i.sizes[present:] {
		sum += size
	}
	return sum
}

// ask returns the answer of the first endpoint that has the image.
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
		answer, err := askOne(ctx, endpoint, named, platform, info, auth)
		if err == nil {
			return answer, nil
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
	proxyFor := proxy.ProxyFunc()
	transport := &http.Transport{
		TLSClientConfig: endpoint.TLSConfig, DisableKeepAlives: true, TLSHandshakeTimeout: timeout,
		Proxy:       func(r *http.Request) (*url.URL, error) { return proxyFor(r.URL) },
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
	remoteImage, err := remote.Image(ref, options...)
	if err != nil {
		return image{}, err
	}
	manifest, err := remoteImage.Manifest()
	if err != nil {
		return image{}, err
	}
	config, err := remoteImage.ConfigFile()
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
